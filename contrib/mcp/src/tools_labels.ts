// SPDX-License-Identifier: MIT
// The tools for labels.

import { z } from 'zod';
import { readLabels, setLabel } from './labels.js';
import { Session } from './session.js';
import { ADDS, addTool, type Context, nameResult, READS, sessionArgument } from './tool.js';

const labelsResult = {
	session: nameResult,
	labels: z.record(z.string(), z.string()).describe('All labels of the session'),
};

export function addLabelTools(context: Context): void {
	const { mount } = context;

	addTool(context, 'set_labels', {
		title: 'Label a session',
		description:
			'Gives a session labels, changes them, or takes them away. They stay with the session, ' +
			'and people see them in `mimobox ls`. Up to 4096 bytes of names and values.',
		input: {
			...sessionArgument,
			labels: z
				.record(
					z.string().regex(/^[^\0=/]{1,200}$/),
					z.string().max(4096).nullable(),
				)
				.describe('By name: the value, or null to take it away. Others stay as they are'),
		},
		output: labelsResult,
		annotations: { ...ADDS, idempotentHint: true },
		run: async ({ session: name, labels }) => {
			const session = await Session.find(mount, name);
			for (const [label, value] of Object.entries(labels))
				await setLabel(session, label, value);
			return { session: session.name, labels: await readLabels(session) };
		},
	});

	addTool(context, 'get_labels', {
		title: 'Labels of a session',
		description: 'The labels that a session has.',
		input: sessionArgument,
		output: labelsResult,
		annotations: READS,
		run: async ({ session: name }) => {
			const session = await Session.find(mount, name);
			return { session: session.name, labels: await readLabels(session) };
		},
	});
}
