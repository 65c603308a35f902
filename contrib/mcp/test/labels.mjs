// SPDX-License-Identifier: MIT
// Labels, which people see as well.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { agent, agents, mount } from './agent.mjs';

const shown = (session) =>
	execFileSync('getfattr', ['--absolute-names', '-d', `${mount}/${session}`]).toString();

export const labels_are_set_read_and_taken_away = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { command: 'sleep 1000' });
		assert.deepEqual((await a.call('get_labels', { session })).labels, {});
		const value = 'a "b"\n=\\ é';
		const set = await a.call('set_labels', { session, labels: { team: 'blue', odd: value, 'nä me': '' } });
		assert.deepEqual(set.labels, { team: 'blue', odd: value, 'nä me': '' });
		assert.match(shown(session), /user\.team="blue"/);
		const left = await a.call('set_labels', { session, labels: { odd: null, none: null, team: 'red' } });
		assert.deepEqual(left.labels, { team: 'red', 'nä me': '' });
		assert.match(await a.fails('set_labels', { session, labels: { big: 'x'.repeat(4096) } }), /No space left/);
		assert.deepEqual((await a.call('get_labels', { session })).labels, left.labels);
	});

export const labels_of_others = () =>
	agents(2, async (a, b) => {
		const { session } = await a.call('start_session', { command: 'sleep 1000' });
		assert.match(await b.fails('set_labels', { session, labels: { team: 'x' } }), /no session/);
		assert.match(await b.fails('get_labels', { session }), /no session/);
		assert.match(await a.fails('get_labels', { session: '../x' }), /no session/);
	});
