// SPDX-License-Identifier: MIT
// A session's directory, and what is done with its small files. Nothing here waits: the files that
// wait are read in question.ts, and `output` is read without waiting in output.ts.

import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rmdir, stat } from 'node:fs/promises';
import { errno, Failure } from './failure.js';
import type { Mount } from './mount.js';

const LOG_LINES = 20;

/** `key value` lines, by key. */
export type Facts = Record<string, string>;

export interface Size {
	rows: number;
	columns: number;
}

/**
 * Each session's `ctl`, open for as long as this process lives: the session ends with it, also where
 * the keeper is killed in the same moment.
 */
const owned = new Map<string, FileHandle>();

export class Session {
	readonly path: string;

	constructor(
		mount: Mount,
		readonly name: string,
	) {
		this.path = `${mount.path}/${name}`;
	}

	static async find(mount: Mount, name: string): Promise<Session> {
		return new Session(mount, await mount.find(name));
	}

	/** Made and started, or, with the reason, neither. */
	static async start(mount: Mount, short: string, config: string[], size: Size | undefined) {
		const session = new Session(mount, mount.newName(short));
		try {
			await mkdir(session.path, 0o700);
		} catch (error) {
			if (errno(error) === 'EEXIST')
				throw new Failure(
					`the name '${short}' is taken: remove_session it, or choose another`,
				);
			if (errno(error) === 'EAGAIN')
				throw new Failure(
					'there are as many sessions as there may be: remove one first',
				);
			throw session.failure(error);
		}
		try {
			await session.own();
			for (const line of config) await session.write('config', line + '\n');
			if (size) await session.resize(size);
			await session.write('ctl', 'start\n');
		} catch (error) {
			await session.remove().catch(() => {});
			throw error;
		}
		return session;
	}

	async remove(): Promise<void> {
		await rmdir(this.path).catch((error) => {
			throw this.failure(error);
		});
		const handle = owned.get(this.path);
		owned.delete(this.path);
		await handle?.close().catch(() => {});
	}

	private async own(): Promise<void> {
		const handle = await open(`${this.path}/ctl`, 'w');
		await owned.get(this.path)?.close().catch(() => {}); // of one that others removed
		owned.set(this.path, handle);
		await handle.writeFile('own\n');
	}

	async resize(size: Size): Promise<void> {
		await this.write('size', `${size.rows} ${size.columns}\n`);
	}

	/** Whole, in one write: or else with the reason that `log` has for the refusal. */
	async write(file: string, text: string): Promise<void> {
		try {
			const handle = await open(`${this.path}/${file}`, 'w');
			try {
				await handle.writeFile(text);
			} finally {
				await handle.close();
			}
		} catch (error) {
			throw await this.refusal(`${file} '${text.trim().slice(0, 200)}'`, error);
		}
	}

	/** All that there is room for now: the bytes that were taken. */
	async type(bytes: Buffer): Promise<number> {
		let taken = 0;
		try {
			const handle = await open(
				`${this.path}/input`,
				constants.O_WRONLY | constants.O_NONBLOCK,
			);
			try {
				while (taken < bytes.length) {
					const { bytesWritten } = await handle.write(bytes, taken);
					taken += bytesWritten;
				}
			} finally {
				await handle.close();
			}
		} catch (error) {
			if (errno(error) !== 'EAGAIN')
				throw await this.refusal(`input, after ${taken} bytes`, error);
		}
		return taken;
	}

	async read(file: string): Promise<string> {
		return readFile(`${this.path}/${file}`, 'utf8').catch((error) => {
			throw this.failure(error);
		});
	}

	async status(): Promise<Facts> {
		const facts: Facts = {};
		for (const line of (await this.read('status')).split('\n')) {
			const space = line.indexOf(' ');
			if (space > 0) facts[line.slice(0, space)] = line.slice(space + 1);
		}
		return facts;
	}

	/** The newest lines of `log`. */
	async log(): Promise<string[]> {
		return (await this.read('log')).trimEnd().split('\n').slice(-LOG_LINES);
	}

	/** undefined: it cannot be read, the session is gone or another user's. */
	async lastLogLine(): Promise<string | undefined> {
		return this.log().then(
			(lines) => lines.pop(),
			() => undefined,
		);
	}

	/** false: pipes. */
	async hasTerminal(): Promise<boolean> {
		return stat(`${this.path}/stderr`).then(
			() => false,
			() => true,
		);
	}

	/** The reason is the last line of `log`, which names it better than an errno does. */
	async refusal(what: string, error: unknown): Promise<Failure> {
		const line = await this.lastLogLine();
		if (!errno(error) || line === undefined) return this.failure(error);
		return new Failure(`${what} was refused (${errno(error)}); log: ${line}`);
	}

	failure(error: unknown): Failure {
		if (error instanceof Failure) return error;
		switch (errno(error)) {
			case 'ENOENT':
				return new Failure(`the session '${this.name}' is gone: it was removed`);
			case 'EACCES':
				return new Failure(`the session '${this.name}' is another user's`);
			case 'ENOTCONN':
				return new Failure(
					'the mimoboxfs has died: it must be mounted again, without its sessions',
				);
			default:
				return new Failure(`${this.name}: ${(error as Error).message}`);
		}
	}
}
