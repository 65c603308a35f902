// SPDX-License-Identifier: MIT
// GET and POST /files: a file of the sandbox, whole, as a stream.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGunzip } from 'node:zlib';
import type { Answer, Channel } from './agent.js';
import { Failure } from './failure.js';
import { pathOf } from './filesystem.js';
import { drained, give, header } from './http.js';
import { boundaryOf, partsOf } from './multipart.js';
import type { Sandbox } from './sandbox.js';

export async function readFile(
	sandbox: Sandbox,
	query: URLSearchParams,
	response: ServerResponse,
): Promise<void> {
	const channel = sandbox.ask({ op: 'read', path: pathOf(query.get('path')) });
	const begin = () => {
		if (!response.headersSent)
			response.writeHead(200, { 'content-type': 'application/octet-stream' });
	};
	channel.onData = ({ data }) => {
		begin();
		return drained(response, data);
	};
	response.once('close', () => void channel.tell({ cancel: true }));
	await channel.closed;
	if (response.headersSent) response.end();
	else response.writeHead(200, { 'content-length': 0 }).end();
}

class Upload {
	private readonly channel: Channel;

	constructor(sandbox: Sandbox, path: string) {
		this.channel = sandbox.ask({ op: 'write', path });
	}

	async write(data: Buffer): Promise<void> {
		await this.channel.first;
		await this.channel.write(data);
	}

	async finish(): Promise<Answer> {
		await this.channel.first;
		await this.channel.finish();
		const entry = ((await this.channel.closed)['entry'] ?? {}) as Answer;
		return { name: String(entry['name']), path: String(entry['path']), type: 'file' };
	}
}

async function writeParts(
	sandbox: Sandbox,
	path: string | null,
	body: AsyncIterable<Buffer>,
	type: string,
): Promise<Answer[]> {
	const written: Answer[] = [];
	let upload: Upload | undefined;
	for await (const part of partsOf(body, boundaryOf(type))) {
		if (part.kind === 'data') {
			await upload?.write(part.data);
			continue;
		}
		if (upload) written.push(await upload.finish());
		if (path !== null && upload)
			throw new Failure('invalid_argument', 'several files, and one path for them');
		upload = new Upload(sandbox, pathOf(path ?? part.filename));
	}
	if (upload) written.push(await upload.finish());
	return written;
}

async function writeWhole(
	sandbox: Sandbox,
	path: string | null,
	body: AsyncIterable<Buffer>,
): Promise<Answer[]> {
	const upload = new Upload(sandbox, pathOf(path));
	for await (const piece of body) await upload.write(piece);
	return [await upload.finish()];
}

export async function writeFiles(
	sandbox: Sandbox,
	query: URLSearchParams,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	const path = query.get('path');
	const type = header(request, 'content-type') ?? '';
	const packed = header(request, 'content-encoding') === 'gzip';
	const body: AsyncIterable<Buffer> = packed ? request.pipe(createGunzip()) : request;
	try {
		give(
			response,
			200,
			type.startsWith('multipart/form-data')
				? await writeParts(sandbox, path, body, type)
				: await writeWhole(sandbox, path, body),
		);
	} catch (error) {
		request.resume(); // or the client would not read why
		throw error;
	}
}
