// SPDX-License-Identifier: MIT
// The tools for what a session has changed in its overlays.

import { z } from 'zod';
import { Failure } from './failure.js';
import { Session } from './session.js';
import { fitText } from './text.js';
import { addTool, type Context, ENDS, nameResult, READS, sessionArgument } from './tool.js';

const LINES_MAX = 2000;
const LINE_MAX = 4096;

const pathArgument = {
	path: z
		.string()
		.regex(/^\/[^\0-\x20\x7f]*$/)
		.optional()
		.describe(
			'Only what is at or below this path inside, as list_changes has it: blanks and the like ' +
				'as \\ooo. Default: everything',
		),
};

/** `verb` is done when the write has ended. */
async function change(context: Context, verb: string, name: string, path: string | undefined) {
	const session = await Session.find(context.mount, name);
	await session.write('ctl', `${verb}${path === undefined ? '' : ` ${path}`}\n`);
	return { session: session.name, done: true };
}

export function addChangeTools(context: Context): void {
	const { mount, policy } = context;
	const output = { session: nameResult, done: z.boolean() };

	addTool(context, 'list_changes', {
		title: 'List what a session changed',
		description:
			'What a session has changed in its overlays (config key overlay), at any time: a line for ' +
			'each path, with A (new), M (changed), D (gone) or T (of another type).',
		input: sessionArgument,
		output: {
			session: nameResult,
			changes: z.array(z.string()),
			count: z.number().describe('How many there are; not all are listed if they are more'),
		},
		annotations: READS,
		run: async ({ session: name }) => {
			const session = await Session.find(mount, name);
			const lines = (await session.read('changes')).split('\n').filter((line) => line !== '');
			return {
				session: session.name,
				changes: lines.slice(0, LINES_MAX).map((line) => fitText(line, LINE_MAX)),
				count: lines.length,
			};
		},
	});

	addTool(context, 'apply_changes', {
		title: 'Apply what a session changed',
		description:
			'After the end of a session: makes its overlays on the host what the session left there. ' +
			'Nothing is done if the host has changed meanwhile in one of these paths. ' +
			"Only if the operator allows it (--allow 'apply yes').",
		input: { ...sessionArgument, ...pathArgument },
		output,
		annotations: ENDS,
		run: async ({ session: name, path }) => {
			if (!policy.applies())
				throw new Failure(
					"applying is not allowed. Only the operator of this server can (--allow 'apply yes'), " +
						'or apply it themselves: mimobox apply',
				);
			return change(context, 'apply', name, path);
		},
	});

	addTool(context, 'discard_changes', {
		title: 'Discard what a session changed',
		description:
			'After the end of a session: drops what it changed in its overlays. The host stays as it is.',
		input: { ...sessionArgument, ...pathArgument },
		output,
		annotations: ENDS,
		run: async ({ session: name, path }) => change(context, 'discard', name, path),
	});
}
