// SPDX-License-Identifier: MIT
// LangChain.js: an agent whose tools work in a sandbox. `model` is any chat model that calls tools.

import { Sandbox } from '@e2b/code-interpreter';
import { createAgent, tool } from 'langchain';
import { z } from 'zod';

const toolsOf = (sandbox) => [
	tool(
		async ({ code }) => {
			const execution = await sandbox.runCode(code);
			const { error, text, logs } = execution;
			return error ? error.traceback : [...logs.stdout, ...logs.stderr, text ?? ''].join('');
		},
		{
			name: 'run_python',
			description: 'Runs Python. Names stay. Gives what it prints, and its last value.',
			schema: z.object({ code: z.string() }),
		},
	),
	tool(async ({ path, text }) => (await sandbox.files.write(path, text)).path, {
		name: 'write_file',
		description: 'Writes a file. Gives its path.',
		schema: z.object({ path: z.string(), text: z.string() }),
	}),
];

export async function answer(model, question) {
	const sandbox = await Sandbox.create();
	try {
		const agent = createAgent({ model, tools: toolsOf(sandbox) });
		const { messages } = await agent.invoke({ messages: [{ role: 'user', content: question }] });
		return messages.at(-1).text;
	} finally {
		await sandbox.kill();
	}
}
