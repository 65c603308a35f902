// SPDX-License-Identifier: MIT
// The life of sandboxes: several at once, timeouts, what is told of them, and who may use them.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { readFileSync } from 'node:fs';
import { AuthenticationError, RateLimitError, Sandbox, SandboxError, SandboxNotFoundError, TimeoutError } from 'e2b';
import { fails, factor, mount, serve, sessions, until, within } from './server.mjs';

export const info = () =>
	within(
		Sandbox,
		async (sandbox) => {
			const told = await sandbox.getInfo();
			assert.equal(told.sandboxId, sandbox.sandboxId);
			assert.deepEqual(told.metadata, { user: 'x & y' });
			assert.equal(told.state, 'running');
			assert.equal(told.templateId, 'base');
			assert.equal(told.memoryMB, 512);
			assert(told.endAt - told.startedAt > 299_000 && told.endAt - told.startedAt < 400_000);
			assert.equal(await sandbox.isRunning(), true);
			assert.equal(sessions().length, 1);
			assert(!sessions()[0].includes(sandbox.sandboxId), 'others see its name');
			const [metric] = await sandbox.getMetrics();
			assert(metric.memUsed > 0 && metric.memTotal === 512 << 20 && metric.cpuUsedPct >= 0);
		},
		{ metadata: { user: 'x & y' } },
	);

export const several_at_once = async () => {
	const sandboxes = await Promise.all(
		['a', 'b', 'c', 'd'].map((name) => Sandbox.create({ metadata: { name } })),
	);
	await Promise.all(
		sandboxes.map((sandbox, number) => sandbox.files.write('number', `${number}`)),
	);
	for (const [number, sandbox] of sandboxes.entries())
		assert.equal((await sandbox.commands.run('cat number')).stdout, `${number}`);
	const list = Sandbox.list({ limit: 3 });
	const pages = [await list.nextItems(), await list.nextItems()];
	assert.deepEqual(pages.map((page) => page.length), [3, 1]);
	assert.equal(list.hasNext, false);
	const found = await Sandbox.list({ query: { metadata: { name: 'b' } } }).nextItems();
	assert.deepEqual(found.map((one) => one.sandboxId), [sandboxes[1].sandboxId]);
	await Promise.all(sandboxes.map((sandbox) => sandbox.kill()));
	assert.deepEqual(await Sandbox.list().nextItems(), []);
};

export const kill = async () => {
	const sandbox = await Sandbox.create();
	const command = await sandbox.commands.run('sleep 1000', { background: true });
	assert.equal(await sandbox.kill(), true);
	await fails(command.wait(), TimeoutError);
	assert.equal(await sandbox.kill(), false);
	assert.equal(await Sandbox.kill('nothing'), false);
	assert.equal(await sandbox.isRunning(), false);
	await fails(sandbox.commands.run('true'), SandboxNotFoundError).catch((error) => {
		assert.match(error.message, /TimeoutError/);
	});
	await fails(sandbox.files.read('x'), TimeoutError);
	await fails(sandbox.getInfo(), SandboxNotFoundError);
	await fails(sandbox.setTimeout(1000), SandboxNotFoundError);
	await fails(Sandbox.connect(sandbox.sandboxId), SandboxNotFoundError);
};

export const timeouts = async () => {
	const short = await Sandbox.create({ timeoutMs: 1000 });
	const long = await Sandbox.create({ timeoutMs: 1000 });
	await long.setTimeout(100_000 * factor);
	await until(async () => !(await short.isRunning()), 'its time is over');
	assert.equal(await long.isRunning(), true);
	await long.setTimeout(0);
	await until(async () => !(await long.isRunning()), 'and that of the other');
	await fails(Sandbox.create({ timeoutMs: 90_000_000 }), SandboxError, '400');
};

export const connect = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.files.write('kept', 'here');
		const other = await Sandbox.connect(sandbox.sandboxId, { timeoutMs: 600_000 });
		assert.equal(await other.files.read('kept'), 'here');
		assert((await other.getInfo()).endAt - Date.now() > 500_000);
	});

export const pause_and_resume = () =>
	within(Sandbox, async (sandbox) => {
		const command = await sandbox.commands.run('while echo x; do sleep 0.05; done', { background: true, timeoutMs: 0 });
		await until(() => command.stdout, 'it prints');
		assert.equal(await sandbox.pause(), true);
		assert.equal(await sandbox.pause(), false);
		assert.equal((await Sandbox.getInfo(sandbox.sandboxId)).state, 'paused');
		const same = await Sandbox.connect(sandbox.sandboxId);
		const before = command.stdout.length;
		await until(() => command.stdout.length > before, 'it goes on');
		assert.equal((await same.getInfo()).state, 'running');
		await command.kill();
	});

export const what_is_not_served = () =>
	within(Sandbox, async (sandbox) => {
		await fails(Sandbox.create({ network: { denyOut: ['1.1.1.1'] } }), SandboxError, 'not served');
		await fails(Sandbox.create({ allowInternetAccess: true }), SandboxError, '--config');
		await fails(Sandbox.create('nothing'), SandboxError, "template 'nothing' not found");
		await fails(sandbox.createSnapshot(), SandboxError, 'not served');
		await fails(sandbox.pause({ keepMemory: false }), SandboxError, 'not served');
		await fails(sandbox.fork(), SandboxError, 'not served');
		assert.equal((await sandbox.commands.run('echo x')).stdout, 'x\n');
	});

/** Another than the SDK, with the headers that are given. */
function ask(path, headers = {}, method = 'GET') {
	const { port } = new URL(process.env.E2B_API_URL);
	return new Promise((resolve, reject) => {
		const asked = request({ port, host: '127.0.0.1', path, method, headers }, (answer) => {
			answer.resume();
			resolve(answer.statusCode);
		});
		asked.once('error', reject);
		asked.end();
	});
}

export const only_who_has_the_key = () =>
	within(Sandbox, async (sandbox) => {
		const key = { 'x-api-key': process.env.E2B_API_KEY };
		const id = { 'e2b-sandbox-id': sandbox.sandboxId };
		const other = await Sandbox.create();
		await fails(Sandbox.create({ apiKey: `e2b_${'0'.repeat(40)}` }), AuthenticationError);
		assert.equal(await ask('/v2/sandboxes', key), 200);
		assert.equal(await ask('/v2/sandboxes'), 401);
		assert.equal(await ask('/health', { ...id, 'x-access-token': sandbox.envdAccessToken }), 204);
		assert.equal(await ask('/health', { ...id, 'x-access-token': other.envdAccessToken }), 401);
		assert.equal(await ask('/health', { ...id, ...key }), 401);
		// A page of a browser, by whatever name it found this.
		assert.equal(await ask('/v2/sandboxes', { ...key, origin: 'http://x' }), 403);
		assert.equal(await ask('/v2/sandboxes', { ...key, host: 'evil.example' }), 403);
		assert.equal(await ask('/', { host: `8080-${sandbox.sandboxId}.localhost` }), 502);
		assert.match(sandbox.getHost(8080), /^8080-[a-z0-9]+\.localhost:\d+$/);
		await other.kill();
	});

export const the_most_at_a_time = async () => {
	const { environment: before } = { environment: { ...process.env } };
	const bounded = await serve('--sandboxes', '1', '--config', 'memory 100M', '--config', 'file-size 1M');
	try {
		await within(Sandbox, async (sandbox) => {
			assert.equal((await sandbox.getInfo()).memoryMB, 100);
			await fails(Sandbox.create({ retries: 0 }), RateLimitError);
			await fails(sandbox.files.write('big', 'x'.repeat(4 << 20)), Error, 'File too large');
		});
	} finally {
		await bounded.end();
		Object.assign(process.env, before);
	}
};

/** However the server ends, its sandboxes do. */
export const they_go_with_the_server = async () => {
	const before = { ...process.env };
	const other = await serve();
	await Sandbox.create();
	const session = `${mount}/${sessions()[0]}`;
	await other.end('SIGKILL');
	await until(() => readFileSync(`${session}/status`, 'utf8').startsWith('state exited'), 'it has ended');
	const third = await serve();
	await until(() => sessions().length === 0, 'the next one clears away what was left');
	await third.end();
	Object.assign(process.env, before);
};

/** A program that speaks in the name of its sandbox's agent harms no more than its own sandbox. */
export const one_that_says_nonsense = async () => {
	const [bad, good] = await Promise.all([Sandbox.create(), Sandbox.create()]);
	const say = 'printf "\\377%.0s" 1 2 3 4 5 6 7 8 9 10 > /proc/$PPID/fd/1 || exit 3; sleep 1000';
	const error = await fails(bad.commands.run(say), SandboxError);
	if (error.exitCode !== 3) await until(() => sessions().length === 1, 'it is ended');
	assert.equal((await good.commands.run('echo x')).stdout, 'x\n');
	await bad.kill();
	await good.kill();
};
