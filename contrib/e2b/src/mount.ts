// SPDX-License-Identifier: MIT
// The mounted filesystem, and the sessions that are made in it.

import { constants } from 'node:fs';
import { access, mkdir, open, readFile, readlink, rmdir, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Failure } from './failure.js';

/** Where no XDG_RUNTIME_DIR is set: what pam_systemd(8) would set, if it is the user's. */
async function usualRuntime(): Promise<string | undefined> {
	const place = `/run/user/${process.geteuid?.()}`;
	const owner = await stat(place).catch(() => undefined);
	return owner?.uid === process.geteuid?.() ? place : undefined;
}

/** As the other clients look for it: what was said, the user's own, the machine's. */
export async function findMount(given: string | undefined): Promise<string> {
	const named = given ?? process.env['MIMOBOX'];
	const own = process.env['XDG_RUNTIME_DIR'] || (await usualRuntime());
	const places = named ? [named] : [...(own ? [`${own}/mimobox`] : []), '/run/mimobox'];
	for (const place of places)
		if (
			await access(`${place}/defaults`).then(
				() => true,
				() => false,
			)
		)
			return resolve(place);
	const last = places[places.length - 1];
	throw new Error(`nothing is mounted at ${last}; mount it with: mimoboxfs ${last}`);
}

/** `key value` lines; of a key that is there more than once, the last. */
function facts(text: string): Record<string, string> {
	const found: Record<string, string> = {};
	for (const line of text.split('\n')) {
		const space = line.indexOf(' ');
		if (space > 0) found[line.slice(0, space)] = line.slice(space + 1);
	}
	return found;
}

export class Session {
	readonly path: string;
	/** While it is open the session is ours: it ends with this process, however that ends. */
	private owner: FileHandle | undefined;

	constructor(
		mount: string,
		readonly name: string,
	) {
		this.path = `${mount}/${name}`;
	}

	async make(): Promise<void> {
		await mkdir(this.path, 0o700).catch((error) => {
			const full = ['EAGAIN', 'EDQUOT'].includes(error.code);
			throw full
				? new Failure('resource_exhausted', 'there are as many sessions as there may be')
				: error;
		});
	}

	async configure(lines: string[]): Promise<void> {
		for (const line of lines) await this.write('config', `${line}\n`);
	}

	async start(): Promise<void> {
		this.owner = await open(`${this.path}/ctl`, constants.O_WRONLY);
		await this.owner.write('own\n');
		await this.write('ctl', 'start\n');
	}

	/** With the reason that `log` has for a refusal. */
	async write(file: string, text: string): Promise<void> {
		const handle = await open(`${this.path}/${file}`, constants.O_WRONLY);
		try {
			await handle.write(text);
		} catch (error) {
			const log = await readFile(`${this.path}/log`, 'utf8').catch(() => '');
			const reason = log.trimEnd().split('\n').pop()?.replace(/^\S+ /, '');
			throw new Failure('internal', reason || (error as Error).message);
		} finally {
			await handle.close();
		}
	}

	async facts(file: string): Promise<Record<string, string>> {
		return facts(await readFile(`${this.path}/${file}`, 'utf8'));
	}

	/** On the host. */
	workspace(): Promise<string> {
		return readlink(`${this.path}/workspace`);
	}

	async remove(): Promise<void> {
		await rmdir(this.path).catch((error) => {
			if (error.code !== 'ENOENT') throw error;
		});
		await this.owner?.close().catch(() => {});
		this.owner = undefined;
	}
}
