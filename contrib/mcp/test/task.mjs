// SPDX-License-Identifier: MIT
// Whole tasks, as an agent does them.

import assert from 'node:assert/strict';
import { agent, agents, sessions } from './agent.mjs';

const PROGRAM = `#include <stdio.h>
int main(void)
{
	char name[100];
	printf("Your name? ");
	fflush(stdout);
	if (!fgets(name, sizeof name, stdin))
		return 1;
	printf("Hello, %s", name);
	return 7;
}
`;

/** A shell for it all: compile, run, answer, look into vim, kill, read the status. */
export const compile_run_and_edit = () =>
	agent(async (a) => {
		const { session, state } = await a.call('start_session', {
			name: 'work',
			cwd: '/workspace',
			rows: 24,
			columns: 80,
		});
		assert.equal(state, 'running');
		assert.match(session, /^mcp-[0-9a-f]{8}-work$/);
		await a.call('put_file', { session: 'work', path: 'src/hello.c', content: PROGRAM });
		await a.call('send_input', {
			session: 'work',
			text: 'gcc -o hello src/hello.c && echo compiled=$? && ./hello',
			keys: ['enter'],
		});
		const prompt = await a.call('wait', { session: 'work', pattern: 'Your name\\? $' });
		assert.equal(prompt.waited_for, 'match');
		const sent = await a.call('send_input', { session: 'work', text: 'Ann', keys: ['enter'] });
		const answer = await a.call('wait', { session: 'work', pattern: 'Hello, Ann' });
		assert.ok(answer.offset > sent.offset);
		const said = await a.call('read_output', { session: 'work', offset: sent.offset });
		assert.match(said.text, /Hello, Ann\r\n/);
		assert.match((await a.call('read_output', { session: 'work' })).text, /compiled=0/);

		await a.call('send_input', { session: 'work', text: 'vim -u NONE -N note', keys: ['enter'] });
		await a.call('wait', { session: 'work', pattern: '~.*~|All' });
		await a.call('send_input', { session: 'work', text: 'ifirst line', keys: ['enter'] });
		await a.call('send_input', { session: 'work', text: 'second', keys: ['up', 'home'] });
		await a.call('send_input', { session: 'work', text: 'the zeroth', keys: ['enter'] });
		await a.call('wait', { session: 'work', pattern: 'zeroth' });
		await a.call('send_input', { session: 'work', keys: ['esc'] });
		await a.call('wait', { session: 'work', idle_ms: 300 });
		const seen = await a.call('read_screen', { session: 'work' });
		assert.deepEqual(
			seen.screen
				.split('\n')
				.slice(0, 4)
				.map((line) => line.trim()),
			['the zeroth', 'first line', 'second', '~'],
		);
		assert.deepEqual([seen.rows, seen.columns, seen.truncated], [24, 80, false]);
		await a.call('send_input', { session: 'work', text: ':wq', keys: ['enter'] });
		await a.call('wait', { session: 'work', pattern: 'written' });
		assert.equal(
			(await a.call('get_file', { session: 'work', path: 'note' })).content,
			'the zeroth\nfirst line\nsecond\n',
		);

		const killed = await a.call('kill', { session: 'work' });
		assert.deepEqual([killed.state, killed.reason], ['exited', 'kill']);
		const { status, log } = await a.call('session_status', { session: 'work' });
		assert.equal(status.state, 'exited');
		assert.ok(Number(status.exit) < 0);
		assert.ok(log.length > 0);
		await a.call('remove_session', { session: 'work' });
		assert.deepEqual(sessions(), []);
	});

export const a_command_and_its_status = () =>
	agent(async (a) => {
		const started = await a.call('start_session', {
			argv: [
				'/bin/sh',
				'-c',
				'echo "$1"; echo to err >&2; pwd; cat; exit 3',
				'sh',
				'a "b"\nc',
			],
			terminal: false,
			env: { X: '1' },
			config: { memory: '64M', timeout: '20s' },
		});
		const { session } = started;
		await a.call('send_input', { session, text: 'given', eof: true });
		const ended = await a.call('wait', { session });
		assert.deepEqual(
			[ended.waited_for, ended.state, ended.exit, ended.reason],
			['exit', 'exited', 3, 'exit'],
		);
		assert.deepEqual(await a.whole(session), ['a "b"\nc\n/tmp\ngiven']);
		assert.deepEqual(await a.whole(session, { stream: 'stderr' }), ['to err\n']);
		const { config } = await a.call('session_status', { session, config: true });
		assert.match(config, /^memory 64M$/m);
	});

export const keys_signals_and_sizes = () =>
	agent(async (a) => {
		await a.call('start_session', {
			name: 'k',
			rows: 30,
			command: "stty -echo -icanon -isig; trap 'echo caught' USR1; trap 'stty size' WINCH; stty size; echo ready; while :; do head -c 1 | od -An -c; done",
		});
		await a.call('wait', { session: 'k', pattern: '30 80.*' });
		await a.call('wait', { session: 'k', pattern: 'ready' });
		await a.call('send_input', {
			session: 'k',
			keys: ['ctrl-c', 'Ctrl+D', 'alt-x', 'backspace'],
		});
		await a.call('wait', { session: 'k', pattern: '177' });
		const { text } = await a.call('read_output', { session: 'k' });
		assert.match(text.replace(/[\s]+/g, ' '), /ready 003 004 033 x 177/);
		assert.match(
			await a.fails('send_input', { session: 'k', keys: ['hyper-x'] }),
			/unknown key 'hyper-x'.*ctrl-X/,
		);
		assert.match(
			await a.fails('send_input', { session: 'k', keys: ['constructor'] }),
			/unknown key 'constructor'/,
		);
		await a.call('resize', { session: 'k', rows: 50, columns: 132 });
		await a.call('signal', { session: 'k', signal: 'USR1' });
		await a.call('send_input', { session: 'k', text: 'z' });
		await a.call('wait', { session: 'k', pattern: 'caught', offset: 0 });
		await a.call('wait', { session: 'k', pattern: '50 132', offset: 0 });
		assert.equal((await a.call('read_screen', { session: 'k' })).columns, 132);
		assert.match(
			await a.fails('signal', { session: 'k', signal: 'NOSUCH' }),
			/'signal NOSUCH' was refused.*log: .*no such signal/,
		);
	});

/** Each has its own `same`; another's goes by its full name alone. */
export const three_agents = () =>
	agents(3, async (...all) => {
		const made = await Promise.all(
			all.map((a, i) =>
				a.call('start_session', {
					name: 'same',
					command: `stty -echo; read x; echo ${i} got $x; sleep 1000`,
				}),
			),
		);
		assert.equal(new Set(made.map((each) => each.session)).size, 3);
		await Promise.all(
			all.map((a, i) =>
				a.call('send_input', { session: 'same', text: `from ${i}`, keys: ['enter'] }),
			),
		);
		await Promise.all(
			all.map((a, i) => a.call('wait', { session: 'same', pattern: `${i} got from ${i}` })),
		);
		for (const [i, a] of all.entries()) {
			const own = await a.call('list_sessions');
			assert.deepEqual(
				own.sessions.map((each) => [each.session, each.own]),
				[[made[i].session, true]],
			);
			const every = await a.call('list_sessions', { all: true });
			assert.equal(every.sessions.length, 3);
			assert.equal(every.sessions.filter((each) => each.own).length, 1);
		}
		await all[1].call('start_session', { name: 'only', command: 'sleep 1000' });
		assert.match(await all[0].fails('kill', { session: 'only' }), /no session 'only'/);
		await all[0].call('remove_session', { session: 'same' });
		assert.equal(sessions().length, 3);
		const { text } = await all[0].call('read_output', { session: made[2].session });
		assert.match(text, /2 got from 2/);
		await all[0].call('kill', { session: made[2].session });
		assert.equal((await all[2].call('wait', { session: 'same' })).reason, 'kill');
		assert.equal((await all[1].call('wait', { session: 'same', timeout_s: 0 })).state, 'running');
		await all[2].close();
		assert.deepEqual(
			sessions().sort(),
			[made[1].session, made[1].session.replace(/same$/, 'only')].sort(),
		);
	}, ['--others']);

export const what_it_says_of_itself = () =>
	agent(async (a) => {
		assert.match(a.client.getInstructions(), /start_session/);
		const { tools } = await a.client.listTools();
		assert.equal(tools.length, 16);
		for (const tool of tools) {
			assert.ok(
				tool.description.length > 50 &&
					tool.title &&
					/ Gives a JSON object of: /.test(tool.description) &&
					tool.annotations.openWorldHint === false,
				tool.name,
			);
			for (const [name, property] of Object.entries(tool.inputSchema.properties))
				assert.ok(
					property.description || name === 'content',
					`${tool.name}: ${name}`,
				);
		}
		const reading = tools
			.filter((tool) => tool.annotations.readOnlyHint)
			.map((tool) => tool.name)
			.sort();
		assert.deepEqual(reading, [
			'get_file',
			'list_changes',
			'list_sessions',
			'read_output',
			'read_screen',
			'session_status',
			'wait',
		]);
	});
