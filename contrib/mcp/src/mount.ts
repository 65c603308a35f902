// SPDX-License-Identifier: MIT
// The mounted filesystem, and which of its sessions are this server's: those whose names begin with
// its prefix. A tool takes the short name of one of these, or the full name of any session.

import { randomBytes } from 'node:crypto';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errno, Failure } from './failure.js';

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;
const NAME_LENGTH = 64;

/** Where no XDG_RUNTIME_DIR is set: what pam_systemd(8) would set, if it is the user's. */
async function usualRuntime(): Promise<string | undefined> {
	const place = `/run/user/${process.geteuid?.()}`;
	const owner = await stat(place).catch(() => undefined);
	return owner?.uid === process.geteuid?.() ? place : undefined;
}

/** As the other clients look for it: what was said, the user's own, the machine's. */
export async function findMount(given: string | undefined, others: boolean): Promise<Mount> {
	const named = given ?? process.env['MIMOBOX'];
	const own = process.env['XDG_RUNTIME_DIR'] || (await usualRuntime());
	const places = named ? [named] : [...(own ? [`${own}/mimobox`] : []), '/run/mimobox'];
	for (const place of places.slice(0, -1)) {
		if (
			await new Mount(place, others).check().then(
				() => true,
				() => false,
			)
		)
			return new Mount(place, others);
	}
	const mount = new Mount(places[places.length - 1] as string, others);
	await mount.check();
	return mount;
}

export class Mount {
	readonly prefix = `mcp-${randomBytes(4).toString('hex')}-`;

	readonly path: string;

	/** Whether `others` can be used, too: a program in one of them may have more than ours may. */
	constructor(
		path: string,
		readonly others: boolean,
	) {
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

	/** What each key has in `defaults`, the last value where there are several. */
	async defaults(): Promise<Map<string, string>> {
		const text = await readFile(`${this.path}/defaults`, 'utf8');
		return new Map(
			text.split('\n').map((line) => {
				const space = line.indexOf(' ');
				return [line.slice(0, space), line.slice(space + 1)];
			}),
		);
	}

	/** Every session that may be used here. */
	async names(): Promise<string[]> {
		try {
			const entries = await readdir(this.path, { withFileTypes: true });
			return entries
				.filter((entry) => entry.isDirectory())
				.map((entry) => entry.name)
				.filter((name) => this.others || this.owns(name));
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
			if (!NAME.test(full) || !(await this.has(full))) continue;
			if (this.others || this.owns(full)) return full;
		}
		throw new Failure(`no session '${name}': list_sessions tells which there are`);
	}
}
