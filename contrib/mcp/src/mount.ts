// SPDX-License-Identifier: MIT
// The mounted filesystem, and which of its sessions are this server's: those whose names begin with
// its prefix. A tool takes the short name of one of these, or the full name of any session.

import { randomBytes } from 'node:crypto';
import { access, readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errno, Failure } from './failure.js';

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;
const NAME_LENGTH = 64;

/** As the other clients look for it: what was said, the user's own, the machine's. */
export async function findMount(given: string | undefined): Promise<Mount> {
	const named = given ?? process.env['MIMOBOX'];
	const own = process.env['XDG_RUNTIME_DIR'];
	const places = named ? [named] : [...(own ? [`${own}/mimobox`] : []), '/run/mimobox'];
	for (const place of places.slice(0, -1)) {
		if (
			await new Mount(place).check().then(
				() => true,
				() => false,
			)
		)
			return new Mount(place);
	}
	const mount = new Mount(places[places.length - 1] as string);
	await mount.check();
	return mount;
}

export class Mount {
	readonly prefix = `mcp-${randomBytes(4).toString('hex')}-`;

	readonly path: string;

	constructor(path: string) {
		this.path = resolve(path);
	}

	/** Fails where nothing is mounted: `defaults` is a file that no other directory would have. */
	async check(): Promise<void> {
		try {
			await access(`${this.path}/defaults`);
		} catch (error) {
			throw this.gone(errno(error));
		}
	}

	private gone(code: string | undefined): Failure {
		return new Failure(
			code === 'ENOTCONN'
				? `the mimoboxfs at ${this.path} has died; mount it again with: mimoboxfs ${this.path}`
				: `nothing is mounted at ${this.path}; mount it with: mimoboxfs ${this.path}`,
		);
	}

	owns(name: string): boolean {
		return name.startsWith(this.prefix);
	}

	/** The full name for a session that is to be made. */
	newName(short: string): string {
		const name = this.prefix + short;
		if (!NAME.test(name))
			throw new Failure(
				`'${short}' is no name: 1 to ${NAME_LENGTH - this.prefix.length} letters, ` +
					`digits, '.', '_' or '-'`,
			);
		return name;
	}

	/** Every session that there is. */
	async names(): Promise<string[]> {
		try {
			const entries = await readdir(this.path, { withFileTypes: true });
			return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
		} catch (error) {
			throw this.gone(errno(error));
		}
	}

	async has(full: string): Promise<boolean> {
		const found = await stat(`${this.path}/${full}`).catch((error) => {
			if (errno(error) === 'ENOENT') return undefined;
			throw this.gone(errno(error));
		});
		return found?.isDirectory() ?? false;
	}

	/** The full name of the session that a tool was given the name of. */
	async find(name: string): Promise<string> {
		for (const full of [this.prefix + name, name]) {
			if (NAME.test(full) && (await this.has(full))) return full;
		}
		throw new Failure(`no session '${name}': list_sessions tells which there are`);
	}
}
