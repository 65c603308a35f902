// SPDX-License-Identifier: MIT
// The server under test, on the mount at $M, and what the tests have in common.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const mount = process.env.M;
/** How many times slower than a quick machine this one may be: the factor of every bound. */
export const factor = Math.ceil(Number(process.env.MIMOBOX_TEST_FACTOR ?? 1)) || 1;

/** Those of servers under test. */
export const sessions = () =>
	readdirSync(mount, { withFileTypes: true })
		.filter((entry) => entry.isDirectory() && entry.name.startsWith('e2b-'))
		.map((entry) => entry.name);

/** Asks again and again, as there is no event to wait for; fails with `what`. */
export async function until(holds, what, seconds = 20) {
	const end = Date.now() + seconds * 1000 * factor;
	while (!(await holds())) {
		assert(Date.now() < end, typeof what === 'function' ? what() : what);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

/** Starts a server, and gives its environment to the SDK; what it resolves to ends it. */
export async function serve(...options) {
	const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
	const { E2B_API_KEY, ...others } = process.env;
	const server = spawn(process.execPath, [main, ...options, mount], {
		env: others,
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const [line] = await once(server.stdout, 'data');
	const environment = Object.fromEntries(
		line
			.toString()
			.trim()
			.replace(/^export /, '')
			.split(' ')
			.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
	);
	Object.assign(process.env, environment);
	return {
		environment,
		server,
		async end(signal = 'SIGTERM') {
			if (server.exitCode !== null || server.signalCode !== null) return;
			const exited = once(server, 'exit');
			server.kill(signal);
			await exited;
		},
	};
}

/** Runs `body` with a sandbox, which is killed after it. */
export async function within(Sandbox, body, options = {}) {
	const sandbox = await Sandbox.create(options);
	try {
		return await body(sandbox);
	} finally {
		await sandbox.kill();
	}
}

/** It fails with an error of that class, whose message has the part. */
export async function fails(promise, kind, part = '') {
	const error = await promise.then(
		() => undefined,
		(error) => error,
	);
	assert(error, `it did not fail: ${kind.name}`);
	assert(error instanceof kind, `${error.constructor.name}, not ${kind.name}: ${error.stack}`);
	assert(error.message.includes(part), error.message);
	return error;
}
