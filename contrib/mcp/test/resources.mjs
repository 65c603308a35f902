// SPDX-License-Identifier: MIT
// Resources, subscriptions, and progress of what waits.

import assert from 'node:assert/strict';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { agent, agents, mount, processesWith, until } from './agent.mjs';

const readers = (session) => processesWith(`${mount}/${session}/output`).length;

export const resources_are_listed_and_read = () =>
	agents(2, async (a, b) => {
		const { session } = await a.call('start_session', { command: 'printf "\\033[1mbold\\033[m\\n"; exec cat' });
		await a.call('wait', { session, pattern: 'bold' });
		const { resources } = await a.client.listResources();
		assert.deepEqual(
			resources.map(({ uri }) => uri).sort(),
			['screen', 'transcript'].map((kind) => `mimobox://session/${session}/${kind}`),
		);
		assert.deepEqual((await b.client.listResources()).resources, []);
		const read = async (agent, kind) =>
			(await agent.client.readResource({ uri: `mimobox://session/${session}/${kind}` })).contents[0].text;
		assert.equal(await read(a, 'screen'), 'bold');
		assert.equal(await read(a, 'transcript'), '\x1b[1mbold\x1b[m\r\n');
		await assert.rejects(read(b, 'screen'), /no session/);
		await assert.rejects(read(a, 'config'), /not found|no such/i);
	});

export const subscribers_are_told = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { command: 'stty -echo; exec cat' });
		const uri = `mimobox://session/${session}/screen`;
		let told = 0;
		a.client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
			assert.equal(params.uri, uri);
			told++;
		});
		await a.client.subscribeResource({ uri });
		await until(() => readers(session) === 1, 'it listens');
		for (let i = 1; i <= 3; i++) {
			const before = told;
			await a.call('send_input', { session, text: `line ${i}`, keys: ['enter'] });
			await until(() => told > before, `told of line ${i}`);
		}
		await a.client.unsubscribeResource({ uri });
		await until(() => readers(session) === 0, 'nobody listens');
		const before = told;
		await a.call('send_input', { session, text: 'unheard', keys: ['enter'] });
		await a.call('wait', { session, pattern: 'unheard' });
		assert.equal(told, before);
		// The end is a change, too, and with it the subscription.
		await a.client.subscribeResource({ uri });
		await until(() => readers(session) === 1, 'it listens again');
		await a.call('kill', { session });
		await until(() => told > before && readers(session) === 0, 'told of the end');
		await assert.rejects(a.client.subscribeResource({ uri: 'mimobox://session/none/screen' }), /no session/);
	});

export const a_wait_tells_of_its_progress = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { command: 'echo hello; exec cat' });
		const progress = [];
		const waits = a.request(
			'wait',
			{ session, pattern: 'never', timeout_s: 600 },
			{ onprogress: (one) => progress.push(one) },
		);
		await until(() => progress.length >= 2, 'told twice');
		assert(progress[1].progress > progress[0].progress);
		assert.equal(progress[1].total, 600);
		assert.match(progress[1].message, /: 7 bytes printed$/);
		await a.call('kill', { session });
		const result = JSON.parse((await waits).content[0].text);
		assert.equal(result.waited_for, 'exit');
	});
