// SPDX-License-Identifier: MIT
// A bounded piece of `output` or `stderr` from an absolute offset on, without waiting.
//
// A reader that opens after bytes have gone starts at the oldest byte kept, so what was read is at
// the offset asked for only if the oldest byte kept is not behind it still when it has been read.

import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { errno, Failure } from './failure.js';
import type { Session } from './session.js';
import { cutAtCharacter, fitBase64, fitBytes } from './text.js';

const TRIES = 8;

export type Stream = 'output' | 'stderr';

export interface Piece {
	bytes: Buffer;
	offset: number; // of the first byte
	next: number;
	dropped: number; // bytes between the offset asked for and the one of the first byte
	remaining: number; // bytes that can be read at `next` now
	end: boolean; // nothing comes behind `next`
}

export async function readOutput(
	session: Session,
	stream: Stream,
	from: number,
	most: number, // bytes of the result, as text or as base64
	whole: boolean, // as base64
): Promise<Piece> {
	let handle: FileHandle;
	try {
		handle = await open(`${session.path}/${stream}`, constants.O_RDONLY | constants.O_NONBLOCK);
	} catch (error) {
		if (stream === 'stderr' && errno(error) === 'ENOENT')
			throw new Failure(
				'no stderr apart: it is in output, unless the session was started with ' +
					'terminal false',
			);
		throw session.failure(error);
	}
	try {
		return await readPiece(session, stream, handle, from, most, whole);
	} finally {
		await handle.close();
	}
}

async function bounds(session: Session, stream: Stream): Promise<{ start: number; end: number }> {
	const status = await session.status();
	return { start: Number(status[`${stream}-start`]), end: Number(status[`${stream}-end`]) };
}

async function readPiece(
	session: Session,
	stream: Stream,
	handle: FileHandle,
	from: number,
	most: number,
	whole: boolean,
): Promise<Piece> {
	let { start, end } = await bounds(session, stream);
	for (let tries = 0; tries < TRIES; tries++) {
		// A flood takes the oldest bytes away faster than they are read: then further on.
		const offset = Math.max(from, start + (tries && Math.floor(((end - start) * tries) / TRIES)));
		const { bytes, ended } = await readBytes(handle, offset, whole ? fitBase64(most) : most);
		({ start, end } = await bounds(session, stream));
		if (start > offset) continue;
		const cut = whole ? bytes : fitBytes(ended ? bytes : cutAtCharacter(bytes), most);
		const next = offset + cut.length;
		return {
			bytes: cut,
			offset,
			next,
			dropped: offset - from,
			remaining: Math.max(0, end - next),
			end: ended && cut.length === bytes.length,
		};
	}
	throw new Failure(
		'output goes faster than it can be read: signal or kill the session, or use overflow wait',
	);
}

async function readBytes(
	handle: FileHandle,
	offset: number,
	most: number,
): Promise<{ bytes: Buffer; ended: boolean }> {
	const bytes = Buffer.alloc(most);
	let size = 0;
	try {
		while (size < most) {
			const { bytesRead } = await handle.read(bytes, size, most - size, offset + size);
			if (bytesRead === 0) return { bytes: bytes.subarray(0, size), ended: true };
			size += bytesRead;
		}
	} catch (error) {
		// ESTALE: dropped in the midst; the bounds will tell.
		if (errno(error) !== 'EAGAIN' && errno(error) !== 'ESTALE') throw error;
	}
	return { bytes: bytes.subarray(0, size), ended: false };
}
