// SPDX-License-Identifier: MIT
// node run.mjs FILE [CASE]: the functions of one file, on the mount at $M. The first failure ends it.

import assert from 'node:assert/strict';
import { mount, processesWith, sessions, until } from './agent.mjs';

const [file, only] = process.argv.slice(2);
for (const [name, run] of Object.entries(await import(`./${file}.mjs`))) {
	if (only && name !== only) continue;
	await run().catch((error) => {
		error.message = `${name}: ${error.message}`;
		throw error;
	});
	assert.deepEqual(sessions(), [], name);
	await until(() => processesWith(`${mount}/mcp-`).length === 0, `${name}: no keeper, no wait`);
	console.log(`${name}: done`);
}
