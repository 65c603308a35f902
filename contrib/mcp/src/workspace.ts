// SPDX-License-Identifier: MIT
// Files of a session's `/workspace`, from outside.
//
// The sandboxed program may plant links in it, and swap them for directories and back at any
// moment. So no path is ever walked: each name is looked up in the directory that is already open
// (/proc/self/fd/N/NAME, where other languages have openat), and a link is not followed
// (O_NOFOLLOW). Nothing planted can hold up an open either (O_NONBLOCK: a FIFO), and a file that is
// put is a new one, renamed into its place. Directories can be moved only within the workspace: it
// is a mount of its own in the sandbox, out of which nothing can be moved or hard-linked.

import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, opendir, rename, unlink } from 'node:fs/promises';
import { errno, Failure } from './failure.js';
import { encodedSize, nameBytes, nameText } from './text.js';
import type { Session } from './session.js';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const ENTRIES_MAX = 500;

export interface Contents {
	bytes: Buffer;
	size: number;
}

export interface Entries {
	entries: string[]; // as nameText() writes them; a directory's ends with a slash
	more: boolean;
}

/** Names below the workspace; the empty list is the workspace itself. */
function split(path: string): Buffer[] {
	// As Latin-1 each byte is a character, whatever it is a part of.
	const parts = nameBytes(path.replace(/^\/workspace(\/|$)/, ''))
		.toString('latin1')
		.split('/')
		.filter((part) => part !== '' && part !== '.');
	if (
		parts.some((part) => part.includes('\0')) ||
		parts.includes('..') ||
		(path.startsWith('/') && !/^\/workspace(\/|$)/.test(path))
	)
		throw new Failure(
			`'${path}' is not below /workspace: give a path relative to it, without '..'`,
		);
	return parts.map((part) => Buffer.from(part, 'latin1'));
}

function at(directory: FileHandle, name: Buffer | string): Buffer {
	return Buffer.concat([Buffer.from(`/proc/self/fd/${directory.fd}/`), Buffer.from(name)]);
}

function failure(error: unknown, path: string): Failure {
	if (error instanceof Failure) return error;
	switch (errno(error)) {
		case 'ENOENT':
			return new Failure(
				`there is no '${path}' in the workspace: get_file of '.' lists it`,
			);
		case 'ELOOP':
		case 'ENOTDIR':
			return new Failure(
				`'${path}' has a part that is no directory, or a symbolic link: links are ` +
					`not followed`,
			);
		case 'ENXIO':
			return new Failure(`'${path}' is no regular file`);
		default:
			return new Failure(`${path}: ${errno(error) ?? (error as Error).message}`);
	}
}

/** Calls `use` with the directory that `parts` lead to, made where they are missing and `make`. */
async function inDirectory<T>(
	session: Session,
	parts: Buffer[],
	make: boolean,
	use: (directory: FileHandle, owner: Stats) => Promise<T>,
): Promise<T> {
	// The link `workspace` itself is the daemon's, and leads where only the daemon makes names.
	let directory = await open(`${session.path}/workspace`, O_RDONLY | O_DIRECTORY).catch((error) => {
		throw session.failure(error);
	});
	try {
		const owner = await directory.stat();
		for (const part of parts) {
			const made = make && (await makeDirectory(directory, part));
			const next = await open(at(directory, part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
			await directory.close();
			directory = next;
			if (made) await give(directory, owner);
		}
		return await use(directory, owner);
	} finally {
		await directory.close();
	}
}

async function makeDirectory(directory: FileHandle, name: Buffer): Promise<boolean> {
	try {
		await mkdir(at(directory, name), 0o755);
		return true;
	} catch (error) {
		if (errno(error) === 'EEXIST') return false;
		throw error;
	}
}

/** What root makes is for the sandboxed program, as if that had made it. */
async function give(file: FileHandle, owner: Stats): Promise<void> {
	if (process.geteuid?.() === 0) await file.chown(owner.uid, owner.gid);
}

async function writeFile(
	directory: FileHandle,
	owner: Stats,
	name: Buffer,
	bytes: Buffer,
	mode: number,
): Promise<void> {
	const fresh = `.${randomBytes(8).toString('hex')}.put`;
	const file = await open(at(directory, fresh), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
	try {
		await file.writeFile(bytes);
		await file.chmod(mode);
		await give(file, owner);
		await rename(at(directory, fresh), at(directory, name));
	} catch (error) {
		await unlink(at(directory, fresh)).catch(() => {});
		throw error;
	} finally {
		await file.close();
	}
}

async function appendFile(
	directory: FileHandle,
	owner: Stats,
	name: Buffer,
	bytes: Buffer,
	mode: number,
): Promise<void> {
	const flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
	const file = await open(at(directory, name), flags).catch(async (error) => {
		if (errno(error) !== 'ENOENT') throw error;
		const made = await open(at(directory, name), flags | O_CREAT | O_EXCL, mode);
		await give(made, owner);
		return made;
	});
	try {
		if (!(await file.stat()).isFile()) throw new Failure(`'${nameText(name)}' is no regular file`);
		await file.writeFile(bytes);
	} finally {
		await file.close();
	}
}

export async function putFile(
	session: Session,
	path: string,
	bytes: Buffer,
	mode: number,
	append: boolean,
): Promise<void> {
	const parts = split(path);
	const name = parts.pop();
	if (!name) throw new Failure('the path of a file is needed');
	try {
		await inDirectory(session, parts, true, (directory, owner) =>
			(append ? appendFile : writeFile)(directory, owner, name, bytes, mode),
		);
	} catch (error) {
		throw failure(error, path);
	}
}

async function readRange(file: FileHandle, offset: number, most: number): Promise<Contents> {
	const bytes = Buffer.alloc(most);
	let size = 0;
	while (size < most) {
		const { bytesRead } = await file.read(bytes, size, most - size, offset + size);
		if (bytesRead === 0) break;
		size += bytesRead;
	}
	return { bytes: bytes.subarray(0, size), size: (await file.stat()).size };
}

async function list(directory: FileHandle, most: number): Promise<Entries> {
	const entries: string[] = [];
	let size = 0;
	// Every name comes as bytes, one a character.
	for await (const entry of await opendir(at(directory, '').toString(), { encoding: 'latin1' })) {
		const name = nameText(Buffer.from(entry.name, 'latin1')) + (entry.isDirectory() ? '/' : '');
		size += encodedSize(name) + ',""'.length * 2 - 1;
		if (entries.length === ENTRIES_MAX || size > most) return { entries: entries.sort(), more: true };
		entries.push(name);
	}
	return { entries: entries.sort(), more: false };
}

/** A piece of a file, or some of the names in a directory. */
export async function getFile(
	session: Session,
	path: string,
	offset: number,
	most: number,
): Promise<Contents | Entries> {
	const parts = split(path);
	const name = parts.pop();
	try {
		return await inDirectory(session, parts, false, async (directory) => {
			if (!name) return list(directory, most);
			const file = await open(at(directory, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
			try {
				const stat = await file.stat();
				if (stat.isDirectory()) return await list(file, most);
				if (!stat.isFile()) throw new Failure(`'${path}' is no regular file`);
				return await readRange(file, offset, most);
			} finally {
				await file.close();
			}
		});
	} catch (error) {
		throw failure(error, path);
	}
}
