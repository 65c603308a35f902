// SPDX-License-Identifier: MIT
// A model that was talked into it asks for more than its operator allows.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { agent, mount, sessions } from './agent.mjs';

const HOST = '/usr/share/dict';

async function refused(a, config, says = /not allowed.*--allow/) {
	assert.match(await a.fails('start_session', { config, command: 'true' }), says, JSON.stringify(config));
	assert.deepEqual(sessions(), []);
}

async function granted(a, config) {
	const { session } = await a.call('start_session', { config, command: 'true' });
	const lines = readFileSync(`${mount}/${session}/config`, 'utf8').split('\n');
	for (const [key, values] of Object.entries(config))
		for (const value of [values].flat()) {
			const line = `${key} ${value}`; // a host has its ports added
			assert.ok(lines.some((one) => one === line || one.startsWith(`${line}:`)), lines.join('\n'));
		}
	await a.call('remove_session', { session });
}

export const nothing_of_the_host_by_default = () =>
	agent(async (a) => {
		for (const config of [
			{ rw: '/srv' },
			{ ro: '/home' },
			{ overlay: '/srv' },
			{ root: '/srv' },
			{ device: '/dev/fuse' },
			{ apply: 'yes' },
			{ ro: ['/home', '/srv:/x'] },
			{ network: 'host' },
			{ network: 'tcp 443' },
			{ network: 'names' },
			{ allow: 'github.com' },
			{ publish: '80' },
			{ 'network-ask': '5s' },
			{ seccomp: 'compat' },
			{ landlock: 'none' },
			{ memory: '513M' },
			{ memory: 'none' },
			{ memory: 'lots' },
			{ memory: '1e3G' },
			{ memory: ' 9G' },
			{ processes: 129 },
			{ cpu: 1.5 },
			{ 'tmp-size': '65M' },
			{ retain: '1G' },
			{ 'open-files': 4096 },
			{ 'kill-grace': '1h' },
			{ reset: 'x' },
			{ constructor: 'x' },
		])
			await refused(a, config);
		for (const config of [
			{ memory: '16M', processes: 5, cpu: 0.5, timeout: '10s', fork: 'no' },
			{ network: 'none', seccomp: 'essential', retain: '64K', 'kill-grace': '100ms' },
			{ deny: 'github.com' },
			{ seccomp: 'strict' },
		])
			await granted(a, config);
	});

export const up_to_what_is_allowed = () =>
	agent(
		async (a) => {
			for (const config of [
				{ rw: '/' },
				{ rw: `${HOST}/words` },
				{ rw: `${HOST}/../..` },
				{ rw: '/usr/share' },
				{ ro: '/usr/share/dictionaries' },
				{ network: 'host' },
				{ network: 'tcp 443,22' },
				{ memory: '2049M' },
			])
				await refused(a, config);
			for (const config of [
				{ ro: HOST },
				{ network: 'tcp 53,443' },
				{ network: 'tcp 443' },
				{ memory: '2G' },
			])
				await granted(a, config);
			const tools = await a.client.listTools();
			const start = tools.tools.find(({ name }) => name === 'start_session');
			assert.match(JSON.stringify(start), /network tcp 53,443; memory 2G/);
		},
		['--allow', `rw ${HOST}`, '--allow', 'network tcp 53,443', '--allow', 'memory 2G'],
	);

/** A copy is changed; the host is, if the operator says so. */
export const changes_are_applied_if_allowed = async () => {
	const tree = mkdtempSync(`${tmpdir()}/mcp-`);
	chmodSync(tree, 0o755);
	writeFileSync(`${tree}/f`, 'one\n');
	const change = async (a) => {
		const { session } = await a.call('start_session', {
			config: { overlay: `${tree}:/x` },
			command: "echo two > '/x/a b'; echo three > /x/f",
		});
		await a.call('wait', { session });
		const { changes, count } = await a.call('list_changes', { session });
		assert.deepEqual([changes, count], [['A /x/a\\040b', 'M /x/f'], 2]);
		return session;
	};
	try {
		await agent(
			async (a) => {
				await refused(a, { overlay: `${tree}/..` });
				await refused(a, { rw: tree });
				const session = await change(a);
				assert.match(await a.fails('apply_changes', { session }), /operator/);
				await a.call('discard_changes', { session, path: '/x/f' });
				assert.deepEqual((await a.call('list_changes', { session })).count, 1);
				assert.equal(readFileSync(`${tree}/f`, 'utf8'), 'one\n');
			},
			['--allow', `overlay ${tree}`],
		);
		await agent(
			async (a) => {
				const session = await change(a);
				await a.call('apply_changes', { session, path: '/x/a\\040b' });
				assert.equal(readFileSync(`${tree}/a b`, 'utf8'), 'two\n');
				assert.equal(readFileSync(`${tree}/f`, 'utf8'), 'one\n');
			},
			['--allow', `overlay ${tree}`, '--allow', 'apply yes'],
		);
	} finally {
		rmSync(tree, { recursive: true });
	}
};

export const hosts_by_name = () =>
	agent(
		async (a) => {
			for (const config of [
				{ network: 'names', allow: ['github.com:22', 'gitlab.com'] },
				{ network: 'names', allow: '*' },
				{ network: 'tcp 443' },
				{ network: 'host' },
			])
				await refused(a, config);
			for (const config of [
				{ network: 'names', allow: 'github.com:22' },
				{ network: 'names', allow: ['github.com:22', '*.example.org'], deny: 'x.example.org' },
				{ network: 'none' },
			])
				await granted(a, config);
		},
		[
			...['--allow', 'network names', '--allow', 'allow github.com:22'],
			...['--allow', 'allow *.example.org'],
		],
	);

/** A program in another's session may have more than this server's may. */
export const sessions_of_others_are_out_of_reach = async () => {
	mkdirSync(`${mount}/privileged`);
	writeFileSync(`${mount}/privileged/ctl`, 'start\n');
	try {
		const reach = async (a, call) => {
			await a[call]('send_input', { session: 'privileged', text: 'id\r' });
			await a[call]('read_output', { session: 'privileged' });
			return (await a.call('list_sessions', { all: true })).sessions.length;
		};
		await agent(async (a) => {
			assert.equal(await reach(a, 'fails'), 0);
			assert.match(await a.fails('kill', { session: 'privileged' }), /no session/);
		});
		await agent(async (a) => assert.equal(await reach(a, 'call'), 1), ['--others']);
	} finally {
		rmdirSync(`${mount}/privileged`);
	}
};

export const so_many_at_a_time = () =>
	agent(
		async (a) => {
			const calls = await Promise.all(
				Array.from({ length: 8 }, () => a.request('start_session', { command: 'sleep 1000' })),
			);
			assert.equal(sessions().length, 3);
			const failed = calls.filter(({ isError }) => isError);
			assert.equal(failed.length, 5);
			for (const { content } of failed) assert.match(content[0].text, /3 sessions, as many/);
		},
		['--sessions', '3'],
	);
