// SPDX-License-Identifier: MIT
// Files of a session's workspace, which a program can change at any moment: it may plant links, and
// swap them for directories and back. So no path is ever walked: each name is looked up in the
// directory that is already open (/proc/self/fd/N/NAME), a link is not followed, a FIFO holds up no
// open, and a file that is put is a new one, renamed into its place.
//
// Names are bytes. A page has them percent-encoded.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, opendir, rename, unlink } from 'node:fs/promises';
import { Refused } from './mount.js';
import { visible } from './text.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const ENTRIES_MAX = 1000;

const TROUBLES = {
	ENOENT: [404, 'there is no such file'],
	ELOOP: [403, 'links are not followed'],
	ENOTDIR: [403, 'it is no directory, or a link: links are not followed'],
	ENXIO: [403, 'it is no regular file'],
	EISDIR: [409, 'there is a directory of that name'],
	ENOTEMPTY: [409, 'there is a directory of that name'],
	EACCES: [403, 'the session does not allow that'],
	ENOSPC: [507, 'there is no space left'],
	EDQUOT: [507, 'there is no space left'],
};

export function explain(error) {
	if (error instanceof Refused)
		return error;
	const [status, text] = TROUBLES[error.code] ?? [400, error.code ?? error.message];
	return new Refused(status, text);
}

// The names of a path of a page, as bytes.
export function namesOf(parts) {
	return parts.map(part => {
		const text = part.replace(/%([0-9a-f]{2})/gi,
			(_, digits) => String.fromCharCode(parseInt(digits, 16)));
		if (/%(?![0-9a-f]{2})/i.test(part) || /[^\x01-\xff]|\//.test(text) ||
		    ['', '.', '..'].includes(text))
			throw new Refused(400, 'not a path');
		return Buffer.from(text, 'latin1');
	});
}

const encoded = name => name.toString('latin1').replace(/[^A-Za-z0-9._-]/g,
	character => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`);

const at = (directory, name) => Buffer.concat([Buffer.from(`/proc/self/fd/${directory.fd}/`), name]);

// An open directory, the caller's to close, and whose the workspace is.
async function openDirectory(mount, session, names) {
	// The link itself is the daemon's, and leads where only the daemon makes names.
	let directory = await open(mount.file(session, 'workspace'), O_RDONLY | O_DIRECTORY);
	const { uid, gid } = await directory.stat();
	for (const name of names) {
		const outer = directory;
		try {
			directory = await open(at(outer, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		} finally {
			await outer.close();
		}
	}
	return { directory, uid, gid };
}

const kindOf = stat => stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' :
	stat.isSymbolicLink() ? 'link' : 'other';

// { entries: [{ name, path, kind, size, modified }], more }: directories first, by name.
export async function list(mount, session, names) {
	const { directory } = await openDirectory(mount, session, names);
	const entries = [];
	let more = false;
	try {
		const all = await opendir(`/proc/self/fd/${directory.fd}/`, { encoding: 'latin1' });
		for await (const { name } of all) {
			const bytes = Buffer.from(name, 'latin1');
			const stat = await lstat(at(directory, bytes)).catch(() => null);
			if (stat && (more = entries.length === ENTRIES_MAX))
				break;
			if (stat)
				entries.push({ name: visible(bytes.toString()), path: encoded(bytes),
					kind: kindOf(stat), size: stat.size, modified: stat.mtimeMs });
		}
	} finally {
		await directory.close();
	}
	const order = ({ kind, path }) => (kind === 'directory' ? '0' : '1') + path;
	return { entries: entries.sort((a, b) => order(a) < order(b) ? -1 : 1), more };
}

// A regular file, the caller's to close.
export async function openFile(mount, session, names) {
	if (!names.length)
		throw new Refused(400, 'not a path of a file');
	const { directory } = await openDirectory(mount, session, names.slice(0, -1));
	try {
		const file = await open(at(directory, names.at(-1)), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
		if ((await file.stat()).isFile())
			return file;
		await file.close();
		throw new Refused(403, 'it is no regular file');
	} finally {
		await directory.close();
	}
}

// A file that is being put: write() its bytes, then keep() or drop() it.
export class NewFile {
	static async open(mount, session, names) {
		if (!names.length)
			throw new Refused(400, 'not a path of a file');
		const made = new NewFile();
		Object.assign(made, await openDirectory(mount, session, names.slice(0, -1)));
		made.name = at(made.directory, names.at(-1));
		made.fresh = at(made.directory, Buffer.from(`.${randomBytes(8).toString('hex')}.put`));
		try {
			made.file = await open(made.fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
		} catch (error) {
			await made.directory.close();
			throw error;
		}
		return made;
	}

	async write(bytes) {
		for (let from = 0; from < bytes.length;)
			from += (await this.file.write(bytes, from)).bytesWritten;
	}

	// What root makes is for the program, as if that had made it.
	async keep() {
		await this.file.chmod(0o644);
		if (process.geteuid() === 0)
			await this.file.chown(this.uid, this.gid);
		await rename(this.fresh, this.name);
		await this.close();
	}

	async drop() {
		await unlink(this.fresh).catch(() => {});
		await this.close();
	}

	async close() {
		await this.file.close();
		await this.directory.close();
	}
}
