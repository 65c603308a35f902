// SPDX-License-Identifier: MIT
// However a server ends, its sessions are gone, and nothing else is.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Agent, main, mount, processesWith, sessions, until } from './agent.mjs';

const MINE = 'of-somebody-else';

/** What is left is what was there before, and no process is. */
async function nothingLeft(agent) {
	await until(() => sessions().join() === MINE, `the sessions are gone: ${sessions()}`);
	await until(() => processesWith(`${mount}/mcp-`).length === 0, 'no keeper, no wait');
	rmdirSync(`${mount}/${MINE}`);
}

async function busy(a) {
	mkdirSync(`${mount}/${MINE}`);
	await a.call('start_session', {
		name: 'one',
		command: 'trap "" TERM; sleep 1000 & setsid sleep 1000',
	});
	await a.call('start_session', { name: 'two' });
	for (const session of ['one', 'two', MINE])
		a.request('wait', { session, timeout_s: 600 }).catch(() => {});
	await until(
		() =>
			processesWith('/wait/').filter((pid) => processesWith(`${mount}/`).includes(pid))
				.length === 3,
		'three waits',
	);
	assert.equal(sessions().length, 3);
}

async function killedBy(signal) {
	const a = await Agent.create();
	await busy(a);
	const closed = new Promise((resolve) => (a.client.onclose = resolve));
	process.kill(a.pid, signal);
	await closed;
	await until(
		() => processesWith(`${mount}/${MINE}/wait/`).length === 0,
		'the wait for another session is gone',
	);
	await nothingLeft();
	await a.close();
}

export const by_kill_9 = () => killedBy('SIGKILL');
export const by_term = () => killedBy('SIGTERM');
export const by_int = () => killedBy('SIGINT');

/** Without the signals that the SDK's client sends to a server which does not go by itself. */
export const by_the_end_of_input = async () => {
	mkdirSync(`${mount}/${MINE}`);
	const server = spawn(process.execPath, [main, mount], { stdio: ['pipe', 'pipe', 'inherit'] });
	const send = (message) => server.stdin.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
	const clientInfo = { name: 'test', version: '1' };
	const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo };
	send({ id: 1, method: 'initialize', params });
	await once(server.stdout, 'data');
	send({ method: 'notifications/initialized' });
	send({ id: 2, method: 'tools/call', params: { name: 'start_session', arguments: {} } });
	await once(server.stdout, 'data');
	assert.equal(sessions().length, 2);
	send({ id: 3, method: 'tools/call', params: { name: 'wait', arguments: { session: 's1' } } });
	await until(() => processesWith(`${mount}/mcp-`).length === 2, 'the keeper and a wait');
	server.stdin.end();
	assert.deepEqual(await once(server, 'exit'), [0, null]);
	assert.deepEqual(sessions(), [MINE]);
	await nothingLeft();
};

/** The whole group at once, as a terminal's Ctrl-C or a supervisor does it. */
export const by_the_clients_death = async () => {
	const script = `import { Agent } from ${JSON.stringify(new URL('agent.mjs', import.meta.url).href)};
		const a = await Agent.create();
		await a.call('start_session', { name: 'x', command: 'sleep 1000' });
		console.log('ready');
		await a.call('wait', { session: 'x', timeout_s: 100 });`;
	for (const group of [false, true]) {
		mkdirSync(`${mount}/${MINE}`);
		const client = spawn(process.execPath, ['--input-type=module', '-e', script], {
			detached: true,
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		await once(client.stdout, 'data');
		assert.equal(sessions().length, 2);
		process.kill(group ? -client.pid : client.pid, 'SIGKILL');
		await once(client, 'exit');
		await nothingLeft();
	}
};

/** Its keeper is killed first, by mistake: another takes its place. */
export const with_its_keeper_killed = async () => {
	const a = await Agent.create();
	await busy(a);
	const keepers = () =>
		processesWith('\0keeper\0').filter((pid) => processesWith(`${mount}/mcp-`).includes(pid));
	const [keeper] = keepers();
	process.kill(keeper, 'SIGKILL');
	const another = () => keepers().some((pid) => pid !== keeper);
	await until(another, 'another keeper');
	process.kill(a.pid, 'SIGKILL');
	await nothingLeft();
	await a.close();
};

/** All its processes in one moment, as a whole cgroup is: nobody is left to remove the sessions. */
export const with_all_its_processes = async () => {
	const a = await Agent.create();
	await busy(a);
	const mine = sessions().filter((name) => name !== MINE);
	const [keeper] = processesWith('\0keeper\0').filter((pid) =>
		processesWith(`${mount}/mcp-`).includes(pid),
	);
	for (const pid of [keeper, a.pid]) process.kill(pid, 'SIGSTOP');
	for (const pid of [keeper, a.pid]) process.kill(pid, 'SIGKILL');
	for (const name of mine) {
		await until(
			() => /^state exited$/m.test(readFileSync(`${mount}/${name}/status`, 'utf8')),
			`${name} has ended`,
		);
		rmdirSync(`${mount}/${name}`);
	}
	await nothingLeft();
	await a.close();
};

/** Killed in the midst of making sessions. */
export const while_it_starts_some = async () => {
	for (let i = 0; i < 3; i++) {
		const a = await Agent.create();
		mkdirSync(`${mount}/${MINE}`);
		const calls = Array.from({ length: 20 }, () =>
			a.request('start_session', { command: 'sleep 1000' }).catch(() => {}),
		);
		await until(() => sessions().length > 1 + i, 'some sessions');
		process.kill(a.pid, i % 2 ? 'SIGKILL' : 'SIGTERM');
		await Promise.all(calls);
		await nothingLeft();
		await a.close();
	}
};

/** The mount by its name in the environment, relative to where the server is. */
export const at_a_relative_place = async () => {
	const env = { PATH: process.env.PATH, MIMOBOX: basename(mount) };
	const a = await Agent.create({ args: [main, '--others'], cwd: dirname(mount), env });
	await busy(a);
	process.kill(a.pid, 'SIGKILL');
	await nothingLeft();
	await a.close();
};

export const without_a_mount = async () => {
	for (const [args, says] of [
		[['/nowhere'], /nothing is mounted at \/nowhere; mount it with: mimoboxfs/],
		[['--what'], /--what/],
		[['a', 'b'], /one argument/],
		[['--allow', 'network'], /not KEY VALUE/],
		[['--allow', 'memory lots'], /no number/],
		[['--sessions', '0'], /no number of sessions/],
	]) {
		const server = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
		let err = '';
		server.stderr.on('data', (data) => (err += data));
		assert.deepEqual(await once(server, 'close'), [2, null]);
		assert.match(err, says);
		assert.match(err, /^mimobox-mcp: [^\n]*\n$/);
	}
};
