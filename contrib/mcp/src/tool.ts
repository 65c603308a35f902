// SPDX-License-Identifier: MIT
// What all tools have in common: results with structure, failures of one line, the arguments that
// occur in several.

import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import type {
	ServerNotification,
	ServerRequest,
	ToolAnnotations,
} from '@modelcontextprotocol/sdk/types.js';
import { z, type ZodRawShape } from 'zod';
import { describe } from './failure.js';
import type { Mount } from './mount.js';
import type { Policy } from './policy.js';
import type { Listener } from './progress.js';
import { Session } from './session.js';

export interface Context {
	server: McpServer;
	mount: Mount;
	policy: Policy;
	/** How many sessions there may be of this server at a time. */
	most: number;
	/** Where the output of a session ended when this server typed into it last. */
	typed: Map<string, number>;
	/** What makes a session now, or removes one. */
	making: Set<Promise<unknown>>;
	closing: boolean;
}

/** The values that a shape of arguments stands for. */
export type Values<Shape extends ZodRawShape> = z.infer<z.ZodObject<Shape>>;

export const READS: ToolAnnotations = { readOnlyHint: true, openWorldHint: false };
export const ADDS: ToolAnnotations = { readOnlyHint: false, destructiveHint: false, openWorldHint: false };
export const ENDS: ToolAnnotations = {
	readOnlyHint: false,
	destructiveHint: true,
	idempotentHint: true,
	openWorldHint: false,
};

export const sessionArgument = {
	session: z
		.string()
		.min(1)
		.max(64)
		.describe(
			'Name of a session: as given to start_session, or in full as in its result. ' +
				'Sessions of others go by their full name only.',
		),
};

export const nameResult = z.string().describe('Full name of the session');

/** The session and what it is about, as every tool that changes it tells. */
export const stateResult = {
	session: nameResult,
	state: z.string().describe('created, starting, running, draining or exited'),
	exit: z
		.number()
		.optional()
		.describe('Once exited: the exit status, or minus the number of the signal'),
	reason: z
		.string()
		.optional()
		.describe('Once exited: exit, signal, kill, timeout, idle, oom, removed or lost'),
	output_end: z.number().describe('Offset at which output ends now'),
};

export async function stateOf(session: Session): Promise<Values<typeof stateResult>> {
	const status = await session.status();
	return {
		session: session.name,
		state: status['state'] ?? 'unknown',
		...(status['exit'] !== undefined && { exit: Number(status['exit']) }),
		...(status['reason'] !== undefined && { reason: status['reason'] }),
		output_end: Number(status['output-end'] ?? 0),
	};
}

interface Definition<Input extends ZodRawShape, Output extends ZodRawShape> {
	title: string;
	description: string;
	input: Input;
	output: Output;
	annotations: ToolAnnotations;
	run(values: Values<Input>, cancel: AbortSignal, listener: Listener): Promise<Values<Output>>;
}

export function addTool<Input extends ZodRawShape, Output extends ZodRawShape>(
	context: Context,
	name: string,
	tool: Definition<Input, Output>,
): void {
	const input = z.strictObject(tool.input);
	const output = z.object(tool.output);
	// Once, as text: as structure beside it, everything would be sent twice.
	const result = Object.entries(tool.output)
		.map(([key, field]) => {
			const { description } = field as z.ZodType;
			return key + (description ? ` (${description})` : '');
		})
		.join('; ');
	context.server.registerTool(
		name,
		{
			title: tool.title,
			description: `${tool.description} Gives a JSON object of: ${result}.`,
			inputSchema: input,
			annotations: { title: tool.title, ...tool.annotations },
		},
		async (values: unknown, extra: RequestHandlerExtra<ServerRequest, ServerNotification>) => {
			try {
				const listener = {
					token: extra._meta?.progressToken,
					send: (notification: ServerNotification) => extra.sendNotification(notification),
				};
				const given = output.parse(
					await tool.run(values as Values<Input>, extra.signal, listener),
				);
				return { content: [{ type: 'text' as const, text: JSON.stringify(given) }] };
			} catch (error) {
				return {
					isError: true,
					content: [{ type: 'text' as const, text: describe(error) }],
				};
			}
		},
	);
}
