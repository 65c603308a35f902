// SPDX-License-Identifier: MIT
// A client of MCP over contrib/mcp: `model` gets the messages so far and the tools, and says which
// tool it calls, or its answer.

import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const SERVER = fileURLToPath(new URL('../../mcp/dist/main.js', import.meta.url));

export async function answer(model, question, mount) {
	const client = new Client({ name: 'example', version: '1' });
	await client.connect(
		new StdioClientTransport({ command: process.execPath, args: [SERVER, mount] }),
	);
	try {
		const { tools } = await client.listTools();
		const messages = [{ role: 'user', content: question }];
		for (;;) {
			const said = await model(messages, tools);
			if (said.answer !== undefined) return said.answer;
			const { content } = await client.callTool({ name: said.tool, arguments: said.arguments });
			messages.push({ role: 'tool', tool: said.tool, content: content[0].text });
		}
	} finally {
		await client.close();
	}
}
