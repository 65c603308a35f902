// SPDX-License-Identifier: MIT
// node run.mjs [FILE [CASE]]: the functions of one file, or of all, on the mount at $M. The first
// failure ends it.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { serve, sessions, until } from './server.mjs';

const [file, only] = process.argv.slice(2);
const helpers = ['run.mjs', 'server.mjs'];
const files = file
	? [file]
	: readdirSync(new URL('.', import.meta.url))
			.filter((name) => name.endsWith('.mjs') && !helpers.includes(name))
			.map((name) => name.slice(0, -4))
			.sort();
const running = await serve();
try {
	for (const one of files)
		for (const [name, run] of Object.entries(await import(`./${one}.mjs`))) {
			if (only && name !== only) continue;
			await run(running).catch((error) => {
				error.message = `${one}: ${name}: ${error.message}`;
				throw error;
			});
			await until(() => sessions().length === 0, `${name}: sessions are left: ${sessions()}`);
			console.log(`${name}: done`);
		}
} finally {
	await running.end();
}
assert.deepEqual(sessions(), []);
