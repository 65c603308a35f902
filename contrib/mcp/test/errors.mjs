// SPDX-License-Identifier: MIT
// Failures: tool errors of one line that says what to do.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { agent, main, mount, sessions } from './agent.mjs';

export const names = () =>
	agent(async (a) => {
		await a.call('start_session', { name: 'x', command: 'sleep 1000' });
		assert.match(await a.fails('start_session', { name: 'x' }), /the name 'x' is taken/);
		assert.match(await a.fails('start_session', { name: 'a/b' }), /name/);
		assert.match(await a.fails('start_session', { name: 'y'.repeat(52) }), /name/);
		assert.match(await a.fails('start_session', { nmae: 'y' }), /nmae/);
		const rest = {
			read_output: {},
			read_screen: {},
			wait: {},
			kill: {},
			session_status: {},
			remove_session: {},
			send_input: { text: 'x' },
			resize: { rows: 1, columns: 1 },
			signal: { signal: 'INT' },
			get_file: { path: 'x' },
			put_file: { path: 'x', content: '' },
		};
		for (const name of ['nothing', '..', '../tmp', 'defaults', 'x/y', '.'])
			for (const [tool, values] of Object.entries(rest))
				assert.match(
					await a.fails(tool, { session: name, ...values }),
					/no session '.*': list_sessions/,
				);
		assert.equal(sessions().length, 1);
		await a.call('start_session', { name: 's2', command: 'true' });
		for (const name of ['s1', 's3'])
			assert.match(
				(await a.call('start_session', { command: 'true' })).session,
				new RegExp(`-${name}$`),
			);
	});

export const configs = () =>
	agent(async (a) => {
		assert.match(
			await a.fails('start_session', { config: { memory: '64M', memroy: '1G' } }),
			/config memroy '1G' is not allowed: nothing of it/,
		);
		assert.match(
			await a.fails('start_session', { config: { memory: '1K' } }),
			/'memory 1K' was refused \(ERANGE\); log: .*memory/,
		);
		assert.match(
			await a.fails('start_session', {
				cwd: '/nowhere',
				command: 'true',
			}),
			/ctl 'start' was refused \(ENOENT\); log: .*\/nowhere/,
		);
		assert.match(
			await a.fails('start_session', { argv: ['/no/such/program'] }),
			/ctl 'start'.*log: .*\/no\/such\/program/,
		);
		assert.match(
			await a.fails('start_session', { config: { timeout: '1s\nnetwork host' } }),
			/line break/,
		);
		assert.match(
			await a.fails('start_session', { config: { 'timeout 1s\nnetwork': 'host' } }),
			/no key/,
		);
		assert.match(await a.fails('start_session', { argv: ['x'], command: 'x' }), /either/);
		assert.match(await a.fails('start_session', { argv: ['a\0b'] }), /log: .*argv/);
		assert.deepEqual(sessions(), []);
		await a.call('start_session', { name: 'again', command: 'true' });
	});

export const states = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { command: 'true' });
		await a.call('wait', { session });
		assert.match(await a.fails('send_input', { session, text: 'x' }), /input.*refused \(EPIPE\)/);
		assert.match(await a.fails('signal', { session, signal: 'INT' }), /refused \(ESRCH\)/);
		assert.match(await a.fails('send_input', { session }), /nothing to send/);
		assert.equal((await a.call('kill', { session })).exit, 0);
		assert.match(await a.fails('read_output', { session, stream: 'stderr' }), /terminal false/);
	});

/** What the terminal would cut, and what there is no room for. */
export const input_that_does_not_fit = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', {
			command: 'stty -echo; echo ready; sleep 1000',
		});
		await a.call('wait', { session, pattern: 'ready' });
		assert.match(
			await a.fails('send_input', { session, text: 'x'.repeat(5000) }),
			/EMSGSIZE.*log: /,
		);
		const line = 'y'.repeat(1000) + '\n';
		let failure;
		for (let i = 0; i < 20 && !failure; i++) {
			const { isError, content } = await a.request('send_input', {
				session,
				text: line.repeat(260),
			});
			failure = isError && content[0].text;
		}
		assert.match(failure, /only \d+ of 260260 bytes were taken: the program reads no input now/);
		assert.equal((await a.call('session_status', { session })).status.state, 'running');
	});

/** The inspector's command line, which lists and calls what it finds. */
export const the_inspector = async () => {
	const inspector = fileURLToPath(new URL('../node_modules/.bin/mcp-inspector-cli', import.meta.url));
	const inspect = async (...args) => {
		const child = spawn(inspector, ['--cli', process.execPath, main, mount, ...args], {
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		let out = '';
		for await (const data of child.stdout) out += data;
		return JSON.parse(out);
	};
	const { tools } = await inspect('--method', 'tools/list');
	assert.ok(tools.some((tool) => tool.name === 'start_session' && tool.inputSchema.properties.argv));
	const { content } = await inspect(
		'--method',
		'tools/call',
		'--tool-name',
		'start_session',
		'--tool-arg',
		'name=seen',
		'command=true',
	);
	assert.match(JSON.parse(content[0].text).session, /-seen$/);
	assert.deepEqual(sessions(), []);
};
