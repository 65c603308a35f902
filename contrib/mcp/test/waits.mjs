// SPDX-License-Identifier: MIT
// Waits: what ends them, and that they hold nothing up.

import assert from 'node:assert/strict';
import { agent, agents, mount, processesWith, until } from './agent.mjs';

const waiting = (session) => processesWith(`${mount}/${session}/wait/`).length;

async function cancelled(promise) {
	await assert.rejects(promise, /abort|cancel/i);
}

export const a_timeout_is_no_error = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { command: 'echo hello; sleep 1000' });
		await a.call('wait', { session, pattern: 'hello' });
		const begin = Date.now();
		for (const asked of [
			{ pattern: 'never' },
			{},
			{ idle_ms: 60_000 },
			{ pattern: 'never', idle_ms: 60_000 },
		]) {
			const told = await a.call('wait', { session, timeout_s: 0.2, ...asked });
			assert.deepEqual(
				[told.waited_for, told.state, told.offset, told.output_end],
				['timeout', 'running', 7, 7],
			);
		}
		assert.ok(Date.now() - begin >= 800);
		await until(() => waiting(session) === 0, 'no wait is left');
	});

export const the_first_of_two = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', {
			command: 'stty -echo; echo ready; read x; echo $x; sleep 1000',
		});
		assert.equal(
			(await a.call('wait', { session, pattern: 'never', idle_ms: 100 })).waited_for,
			'idle',
		);
		await a.call('send_input', { session, text: 'ready', keys: ['enter'] });
		const second = await a.call('wait', { session, pattern: 'ready', idle_ms: 60_000 });
		assert.deepEqual([second.waited_for, second.offset], ['match', 12]);
		assert.equal((await a.call('wait', { session, pattern: 'ready', offset: 0 })).offset, 5);
		await a.call('kill', { session });
		assert.equal((await a.call('wait', { session, pattern: 'never' })).waited_for, 'exit');
		await until(() => waiting(session) === 0, 'no wait is left');
	});

/** What readline prints before the output of a command is not in the way. */
export const the_beginning_of_a_line = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { argv: ['bash', '--norc'] });
		await a.call('send_input', { session, text: 'echo one-$((1+1))', keys: ['enter'] });
		const told = await a.call('wait', { session, pattern: '^one-2$', timeout_s: 60 });
		assert.equal(told.waited_for, 'match');
	});

/** Nobody is attached who would answer. */
export const a_program_that_asks_its_terminal = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', {
			command:
				"stty raw -echo; printf 'ab\\033[6n'; dd bs=1 count=6 2>/dev/null | tr '\\033' E; " +
				'sleep 1000',
		});
		const told = await a.call('wait', { session, pattern: 'E\\[1;3R', timeout_s: 60 });
		assert.equal(told.waited_for, 'match');
		const { cursor } = await a.call('read_screen', { session });
		assert.deepEqual(cursor, { row: 1, column: 9, visible: true });
	});

export const a_slash_in_a_pattern = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', {
			command: 'echo a.b a-b a0b aäb /usr/b/n a/b; exec cat',
		});
		const told = await a.call('wait', { session, pattern: 'a/b' });
		assert.equal(told.offset, Buffer.byteLength('a.b a-b a0b aäb /usr/b/n a/b'));
		assert.equal(
			(await a.call('wait', { session, pattern: '\\/usr(/[[:alpha:]]){2}', offset: 0 }))
				.waited_for,
			'match',
		);
		assert.match(await a.fails('wait', { session, pattern: '[^/]x' }), /slash.*brackets/);
		assert.match(
			await a.fails('wait', { session, pattern: '(' }),
			/refused; log: .*a \( without its \)/,
		);
		assert.match(await a.fails('wait', { session, pattern: '\\d+' }), /refused; log: .*POSIX/);
		assert.match(await a.fails('wait', { session, pattern: 'ä'.repeat(900) }), /too long/);
	});

/** More than libuv has threads, and more than there are of anything. */
export const many_hold_nothing_up = () =>
	agents(2, async (a, b) => {
		const { session } = await a.call('start_session', {
			command: 'stty -echo; read x; echo got $x; read x',
		});
		const waits = [];
		for (let i = 0; i < 20; i++)
			for (const each of [a, b])
				waits.push(
					each.call('wait', { session, pattern: 'got it', offset: 0 }),
					each.call('wait', { session, timeout_s: 600 }),
				);
		await until(() => waiting(session) === 80, '80 waits');
		await a.call('put_file', { session, path: 'x', content: 'y' });
		await b.call('start_session', { name: 'another', command: 'true' });
		assert.equal((await b.call('wait', { session: 'another' })).exit, 0);
		await a.call('send_input', { session, text: 'it', keys: ['enter'] });
		for (let i = 0; i < waits.length; i += 2) assert.equal((await waits[i]).waited_for, 'match');
		await a.call('kill', { session });
		for (const wait of waits) assert.ok(['match', 'exit'].includes((await wait).waited_for));
	}, ['--others']);

export const a_cancelled_wait_is_given_up = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { command: 'sleep 1000' });
		for (let i = 0; i < 3; i++) {
			const controllers = Array.from({ length: 8 }, () => new AbortController());
			const waits = controllers.map(({ signal }) =>
				cancelled(a.request('wait', { session, timeout_s: 600 }, { signal })),
			);
			await until(() => waiting(session) === 8, '8 waits');
			for (const controller of controllers) controller.abort();
			await Promise.all(waits);
			await until(() => waiting(session) === 0, 'no wait is left');
		}
		// As soon as it was asked.
		const controller = new AbortController();
		const wait = cancelled(
			a.request('wait', { session, timeout_s: 600 }, { signal: controller.signal }),
		);
		controller.abort();
		await wait;
		assert.equal((await a.call('session_status', { session })).status.state, 'running');
		await until(() => waiting(session) === 0, 'no wait is left');
	});

export const a_removal_ends_it = () =>
	agents(2, async (a, b) => {
		const { session } = await a.call('start_session', { command: 'sleep 1000' });
		const waits = [b.request('wait', { session, pattern: 'x' }), b.request('wait', { session })];
		await until(() => waiting(session) === 2, 'two waits');
		await a.call('remove_session', { session });
		for (const wait of waits) {
			const { isError, content } = await wait;
			assert.ok(isError);
			assert.match(content[0].text, /was removed|is gone/);
		}
		assert.match(await b.fails('wait', { session }), /no session/);
	}, ['--others']);
