// SPDX-License-Identifier: MIT
// The examples of what people build on, with models whose words are written down here.

import assert from 'node:assert/strict';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage } from '@langchain/core/messages';
import { MockLanguageModelV3 } from 'ai/test';
import { answer as byAiSdk } from '../examples/ai-sdk.mjs';
import { answer as byLangChain } from '../examples/langchain.mjs';
import { answer as byMcp } from '../examples/mcp-client.mjs';
import { mount } from './server.mjs';

/** Says one message after the other, and has heard what came before each. */
class Scripted extends BaseChatModel {
	heard = [];

	constructor(script) {
		super({});
		this.script = script;
	}

	_llmType() {
		return 'scripted';
	}

	bindTools() {
		return this;
	}

	async _generate(messages) {
		this.heard.push(messages.at(-1).text);
		const message = new AIMessage(this.script[this.heard.length - 1]);
		return { generations: [{ text: message.text, message }] };
	}
}

const call = (id, name, args) => ({ content: '', tool_calls: [{ id, name, args, type: 'tool_call' }] });

export const langchain = async () => {
	const model = new Scripted([
		call('1', 'write_file', { path: 'sum.py', text: 'def add(a, b):\n    return a + b\n' }),
		call('2', 'run_python', { code: 'import sys\nsys.path.append(".")\nfrom sum import add\nadd(19, 23)' }),
		call('3', 'run_python', { code: '1 / 0' }),
		{ content: 'The sum is 42.' },
	]);
	assert.equal(await byLangChain(model, 'What is 19 + 23?'), 'The sum is 42.');
	assert.equal(model.heard[0], 'What is 19 + 23?');
	assert.match(model.heard[1], /^\/.*\/sum\.py$/);
	assert.equal(model.heard[2], '42');
	assert.match(model.heard[3], /ZeroDivisionError/);
};

const usage = {
	inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
	outputTokens: { total: 1, text: 1, reasoning: 0 },
};

export const ai_sdk = async () => {
	const heard = [];
	const script = [
		{ toolName: 'run_python', input: { code: 'x = 6\nprint("x is", x)\nx * 7' } },
		{ toolName: 'run_command', input: { command: 'echo no >&2; exit 3' } },
	];
	const model = new MockLanguageModelV3({
		doGenerate: async ({ prompt }) => {
			heard.push(prompt.at(-1).content[0]);
			const next = script[heard.length - 1];
			return {
				finishReason: { unified: next ? 'tool-calls' : 'stop', raw: undefined },
				usage,
				warnings: [],
				content: next
					? [
							{
								type: 'tool-call',
								toolCallId: `${heard.length}`,
								toolName: next.toolName,
								input: JSON.stringify(next.input),
							},
						]
					: [{ type: 'text', text: 'It is 42.' }],
			};
		},
	});
	assert.equal(await byAiSdk(model, 'What is 6 times 7?'), 'It is 42.');
	assert.equal(heard[0].text, 'What is 6 times 7?');
	assert.deepEqual(heard[1].output.value.logs, { stdout: ['x is 6\n'], stderr: [] });
	assert.equal(heard[1].output.value.results[0].text, '42');
	assert.deepEqual(heard[2].output.value, { exitCode: 3, stdout: '', stderr: 'no\n' });
};

export const mcp_client = async () => {
	const script = [
		{ tool: 'start_session', arguments: { name: 'sum', command: 'echo $((19 + 23))' } },
		{ tool: 'wait', arguments: { session: 'sum' } },
		{ tool: 'read_output', arguments: { session: 'sum' } },
	];
	const model = async (messages, tools) => {
		assert(tools.some(({ name }) => name === 'start_session'));
		const next = script[messages.length - 1];
		return next ?? { answer: JSON.parse(messages.at(-1).content).text };
	};
	assert.equal(await byMcp(model, 'What is 19 + 23?', mount), '42\r\n');
};
