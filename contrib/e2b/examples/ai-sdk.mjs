// SPDX-License-Identifier: MIT
// The AI SDK: a text that is generated with the help of a sandbox. `model` is any language model.

import { Sandbox } from '@e2b/code-interpreter';
import { generateText, stepCountIs, tool } from 'ai';
import { z } from 'zod';

export async function answer(model, prompt) {
	const sandbox = await Sandbox.create();
	try {
		const { text } = await generateText({
			model,
			prompt,
			stopWhen: stepCountIs(10),
			tools: {
				run_python: tool({
					description: 'Runs Python. Names stay. Gives what it prints, and its last value.',
					inputSchema: z.object({ code: z.string() }),
					execute: async ({ code }) => (await sandbox.runCode(code)).toJSON(),
				}),
				run_command: tool({
					description: 'Runs a command of the shell.',
					inputSchema: z.object({ command: z.string() }),
					execute: async ({ command }) => {
						const done = await sandbox.commands.run(command).catch((error) => error);
						const { exitCode, stdout, stderr } = done;
						return { exitCode, stdout, stderr };
					},
				}),
			},
		});
		return text;
	} finally {
		await sandbox.kill();
	}
}
