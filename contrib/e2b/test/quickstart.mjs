// SPDX-License-Identifier: MIT
// What E2B's own documents tell people to type, as it stands, with nothing but the environment set.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Sandbox } from 'e2b';

const require = createRequire(import.meta.url);

/** The blocks of TypeScript in the README of a package. */
function blocksOf(name) {
	const readme = readFileSync(`${dirname(dirname(require.resolve(name)))}/README.md`, 'utf8');
	return [...readme.matchAll(/^```(?:ts|js)\n(.*?)^```/gms)].map((found) => found[1]);
}

/** As a program of its own, which may leave its sandbox behind, as the examples do. */
async function typed(text) {
	const path = fileURLToPath(new URL('./typed.tmp.mjs', import.meta.url));
	writeFileSync(path, text);
	try {
		return (await promisify(execFile)(process.execPath, [path])).stdout;
	} finally {
		rmSync(path);
		for (const one of await Sandbox.list().nextItems()) await Sandbox.kill(one.sandboxId);
	}
}

export const start_a_sandbox_and_run_commands = async () => {
	const block = blocksOf('e2b').find((text) => text.includes('commands.run'));
	assert(block.includes('console.log(result.stdout)'), block);
	assert.equal(await typed(block), 'Hello from E2B!\n\n');
};

export const code_execution_with_the_code_interpreter = async () => {
	// Not those that have a key of their own in them.
	const blocks = [...blocksOf('e2b'), ...blocksOf('@e2b/code-interpreter')].filter(
		(text) => text.includes('runCode') && !text.includes('apiKey'),
	);
	assert(blocks.length >= 2, 'each README has its example');
	for (const block of blocks) assert.equal(await typed(block), '2\n', block);
};
