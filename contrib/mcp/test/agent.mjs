// SPDX-License-Identifier: MIT
// An agent, as the tests have it: the SDK's own client, and a server of its own over stdio.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

export const mount = process.env.M;
/** Of every bound: how many times slower than a quick machine this one is. */
export const factor = Number(process.env.MIMOBOX_TEST_FACTOR ?? 1);
export const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

export class Agent {
	static async create(place = { args: [main, '--others', mount] }) {
		const agent = new Agent();
		agent.transport = new StdioClientTransport({ command: process.execPath, ...place });
		agent.client = new Client({ name: 'test', version: '1' });
		await agent.client.connect(agent.transport);
		return agent;
	}

	get pid() {
		return this.transport.pid;
	}

	request(name, values = {}, options = {}) {
		const patient = { timeout: 60000 * factor, ...options };
		return this.client.callTool({ name, arguments: values }, undefined, patient);
	}

	/** What a tool gives, once. */
	async call(name, values, options) {
		const result = await this.request(name, values, options);
		assert.ok(!result.isError, `${name}: ${result.content[0]?.text}`);
		assert.deepEqual([result.content.length, result.structuredContent], [1, undefined]);
		return JSON.parse(result.content[0].text);
	}

	/** The one line that a tool fails with. */
	async fails(name, values) {
		const result = await this.request(name, values);
		assert.equal(result.isError, true, JSON.stringify(result.content));
		assert.equal(result.content.length, 1);
		assert.doesNotMatch(result.content[0].text, /\n./);
		return result.content[0].text;
	}

	/** All of the output, in pieces. */
	async whole(session, values = {}) {
		const texts = [];
		for (let offset = 0, piece; !piece?.end; offset = piece.next_offset) {
			piece = await this.call('read_output', { session, offset, ...values });
			assert.ok(piece.text.length || piece.end, 'nothing to read, and no end');
			texts.push(piece.text);
		}
		return texts;
	}

	async close() {
		await this.client.close();
	}
}

/** Calls `use` with so many agents, whose servers have these options, and ends them. */
export async function agents(count, use, options = []) {
	const place = { args: [main, ...options, mount] };
	const all = await Promise.all(Array.from({ length: count }, () => Agent.create(place)));
	try {
		await use(...all);
	} finally {
		await Promise.all(all.map((agent) => agent.close()));
	}
}

export const agent = (use, options) => agents(1, use, options);

export function sessions() {
	return readdirSync(mount, { withFileTypes: true })
		.filter((entry) => entry.isDirectory())
		.map((entry) => entry.name);
}

/** Those with `part` in their command line. */
export function processesWith(part) {
	return readdirSync('/proc').filter((pid) => {
		try {
			return (
				/^\d+$/.test(pid) &&
				readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(part)
			);
		} catch {
			return false;
		}
	});
}

/** For what sends no event. */
export async function until(condition, what) {
	for (const end = Date.now() + 10000 * factor; !condition(); await pause(5))
		assert.ok(Date.now() < end, `never: ${what}`);
}
