// SPDX-License-Identifier: MIT
// The files of a mounted mimobox. Nothing here waits: what blocks is follow.js's.
import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { visible } from './text.js';

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;
const COMMAND_MAX = 4096;
// Of `config`, that a page can set.
const SETTINGS = ['memory', 'cpu', 'network', 'timeout'];
const SETTING_MAX = 256;

export class Refused extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

const flat = text => Object.fromEntries(text.split('\n').map(line => {
	const space = line.indexOf(' ');
	return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
}));

export class Mount {
	constructor(path) {
		this.path = path;
	}

	// The one way from a name to a path.
	file(name, file = '') {
		if (typeof name !== 'string' || !NAME.test(name))
			throw new Refused(400, 'not a name of a session');
		return join(this.path, name, file);
	}

	async names() {
		const entries = await readdir(this.path, { withFileTypes: true });
		return entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
	}

	async status(name) {
		return flat(await readFile(this.file(name, 'status'), 'utf8'));
	}

	// What the list shows; null where there is no such session, or it is somebody else's.
	async describe(name) {
		try {
			const [status, config] = await Promise.all([this.status(name),
				readFile(this.file(name, 'config'), 'utf8')]);
			const { state, created, started, ended, exit, reason } = status;
			const { command, argv } = flat(config);
			return { name, state, created, started, ended, exit, reason,
				 command: visible(command || argv || '/bin/sh') };
		} catch {
			return null;
		}
	}

	// Seconds on a clock of this machine, seconds of processors, bytes; `cpus` and `most` are the
	// limits. What is not known, or has no limit, is left out.
	async usage(name) {
		const units = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
		const config = this.file(name, 'config');
		const number = text => /^[0-9.]+$/.test(text ?? '') ? Number(text) : undefined;
		const [status, text] = await Promise.all([this.status(name), readFile(config, 'utf8')])
			.catch(() => {
				throw new Refused(404, 'no such session');
			});
		const { memory, cpu } = flat(text);
		const unit = units[memory?.at(-1)];
		return { time: performance.now() / 1000, cpu: number(status.cpu),
			 memory: number(status.memory), cpus: number(cpu),
			 most: unit ? number(memory.slice(0, -1)) * unit : number(memory) };
	}

	// Whole lines `OFFSET ROWS COLS`, oldest first.
	async sizes(name) {
		const text = await readFile(this.file(name, 'sizes'), 'utf8');
		return text.trim().split('\n').map(line => line.split(' ').map(Number));
	}

	// At the oldest byte of `output`; nothing while that is the first.
	modes(name) {
		return readFile(this.file(name, 'modes'));
	}

	async range(name) {
		const status = await this.status(name);
		return { start: Number(status['output-start']), end: Number(status['output-end']) };
	}

	async write(name, file, text) {
		try {
			await writeFile(this.file(name, file), text);
		} catch (error) {
			throw await this.explained(name, error);
		}
	}

	// The reason of a refusal is the last line of the log.
	async explained(name, error) {
		const status = { ENOENT: 404, EEXIST: 409, EBUSY: 409, EACCES: 403, EPERM: 403 };
		const log = await readFile(this.file(name, 'log'), 'utf8').catch(() => '');
		const line = visible(log.trim().split('\n').at(-1).replace(/^\S+ /, ''));
		const told = line && !['ENOENT', 'EEXIST'].includes(error.code);
		return new Refused(status[error.code] ?? 400, told ? line : error.code);
	}

	// Each is one line of `config`: none must become two.
	async create(name, command, settings = {}) {
		const isLine = (text, most) =>
			typeof text === 'string' && text.length <= most && !/[\0-\x1f\x7f]/.test(text);
		if (!isLine(command, COMMAND_MAX))
			throw new Refused(400, 'a command is one line of text');
		const lines = SETTINGS.filter(key => settings[key] !== undefined && settings[key] !== '')
			.map(key => {
				if (!isLine(settings[key], SETTING_MAX))
					throw new Refused(400, `${key} is one line of text`);
				return `${key} ${settings[key]}\n`;
			});
		if (command)
			lines.push(`command ${command}\n`);
		const directory = this.file(name);
		await mkdir(directory).catch(error => {
			throw new Refused(error.code === 'EEXIST' ? 409 : 403, error.code);
		});
		try {
			if (lines.length)
				await this.write(name, 'config', lines.join(''));
		} catch (error) {
			await rmdir(directory).catch(() => {});
			throw error;
		}
	}

	async remove(name) {
		const directory = this.file(name);
		await rmdir(directory).catch(error => {
			throw new Refused(error.code === 'ENOENT' ? 404 : 403, error.code);
		});
	}

	// For follow(), whose child waits.
	openStream(name, file) {
		return open(this.file(name, file), constants.O_RDONLY);
	}

	openEvents() {
		return open(join(this.path, 'events'), constants.O_RDONLY);
	}

	// Nothing may wait in a thread of the pool, of which there are four.
	openNow(name, file, flags) {
		return open(this.file(name, file), flags | constants.O_NONBLOCK);
	}
}
