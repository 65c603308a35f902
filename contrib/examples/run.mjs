#!/usr/bin/env node
// Runs commands, all at a time, each in a session of its own: run.mjs COMMAND...
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { mkdtemp, readFile, rmdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const mount = process.env.MIMOBOX ?? '/run/mimobox';

// A value from elsewhere must not become two lines. A command may have any number: JSON escapes them.
function line(key, value) {
	const text = key === 'argv' ? JSON.stringify(value) : value;
	if (/[\0-\x1f\x7f]/.test(key + text)) throw new Error(`a control character in ${key}`);
	return `${key} ${text}\n`;
}

// `each` gets the output, piece by piece as it comes. Resolves to the session's status.
export async function run(command, config, each) {
	const path = await mkdtemp(`${mount}/js.`);
	try {
		for (const [key, value] of Object.entries({ ...config, argv: ['/bin/sh', '-c', '--', command] }))
			await writeFile(`${path}/config`, line(key, value));
		await writeFile(`${path}/ctl`, 'start\n');
		// a cat for each, since a read that waits would keep one of Node's four threads
		for await (const piece of spawn('cat', [`${path}/output`]).stdout) each(piece);
		const status = await readFile(`${path}/status`, 'utf8');
		return Object.fromEntries(status.trimEnd().split('\n').map((line) => line.split(/ (.*)/)));
	} finally {
		await rmdir(path);
	}
}

if (fileURLToPath(import.meta.url) === realpathSync(process.argv[1] ?? '')) {
	await Promise.all(process.argv.slice(2).map(async (command) => {
		const config = { terminal: 'no', timeout: '5s', memory: '128M' };
		const status = await run(command, config, (piece) => process.stdout.write(piece));
		// where no command can write
		console.error(`${command}: ${status.exit} (${status.reason})`);
	}));
}
