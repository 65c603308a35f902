// SPDX-License-Identifier: MIT
// The tools for a session as a whole: its start, its end, its state.

import { z } from 'zod';
import { configArguments, configLines } from './config.js';
import { Failure } from './failure.js';
import { ask } from './question.js';
import { Session } from './session.js';
import { fitText } from './text.js';
import {
	ADDS,
	addTool,
	type Context,
	ENDS,
	nameResult,
	READS,
	sessionArgument,
	stateOf,
	stateResult,
} from './tool.js';

const LISTED_MAX = 200;
const KILL_MS = 5000;
const CONFIG_MAX = 16384;
const LINE_MAX = 1024;

export const sizeArguments = {
	rows: z.number().int().min(1).max(65535).describe('Rows of the terminal'),
	columns: z.number().int().min(1).max(65535).describe('Columns of the terminal'),
};

async function making<T>(context: Context, work: () => Promise<T>): Promise<T> {
	if (context.closing) throw new Failure('the server is ending');
	const promise = work();
	context.making.add(promise);
	try {
		return await promise;
	} finally {
		context.making.delete(promise);
	}
}

export function addSessionTools(context: Context): void {
	const { mount, policy } = context;
	let count = 0;
	const going = new Set<string>();

	/** The next of s1, s2, ... that is not taken. */
	const defaultName = async (): Promise<string> => {
		for (;;) {
			const name = `s${++count}`;
			if (!(await mount.has(mount.newName(name)))) return name;
		}
	};

	/** Calls `work`, which makes the session, unless there are as many as there may be. */
	const oneMore = async <T>(full: string, work: () => Promise<T>): Promise<T> => {
		const own = (await mount.names()).filter((name) => mount.owns(name));
		if (new Set([...own, ...going]).size >= context.most)
			throw new Failure(
				`there are ${context.most} sessions, as many as this server may have: remove one`,
			);
		going.add(full);
		return work().finally(() => going.delete(full));
	};

	addTool(context, 'start_session', {
		title: 'Start a session',
		description:
			'Starts a program in a sandbox, on a terminal of its own (or on pipes), and returns ' +
			'at once. ' +
			'Then: wait, read_output or read_screen, send_input. It sees the system directories ' +
			'read-only, and may write to /tmp and /workspace (put_file, get_file). ' +
			'The session stays, with all its output, until remove_session or the end of this ' +
			'server. A config that is refused leaves no session behind.',
		input: {
			name: z
				.string()
				.min(1)
				.max(51)
				.regex(/^[A-Za-z0-9._-]+$/)
				.optional()
				.describe(
					"Short name, unique among this server's sessions: letters, digits, " +
						"'.', '_', '-'. Default: s1, s2, ...",
				),
			...configArguments(policy),
			rows: sizeArguments.rows.optional().describe('Rows of the terminal. Default: 24'),
			columns: sizeArguments.columns
				.optional()
				.describe('Columns of the terminal. Default: 80'),
		},
		output: stateResult,
		annotations: ADDS,
		run: async ({ name, rows, columns, ...config }) => {
			const lines = configLines(config, policy, await mount.defaults());
			const size =
				rows || columns ? { rows: rows ?? 24, columns: columns ?? 80 } : undefined;
			const short = name ?? (await defaultName());
			const session = await making(context, () =>
				oneMore(mount.newName(short), () => Session.start(mount, short, lines, size)),
			);
			context.typed.set(session.name, 0);
			return stateOf(session);
		},
	});
	addTool(context, 'list_sessions', {
		title: 'List sessions',
		description: `The sessions of this server, or with all those of others too, in the order of their names (${LISTED_MAX} at most).`,
		input: {
			all: z
				.boolean()
				.optional()
				.describe(
					"true: also what others made. Default: this server's sessions only",
				),
		},
		output: {
			sessions: z.array(
				z
					.object({
						...stateResult,
						own: z
							.boolean()
							.describe('Made by this server, and removed with it'),
					})
					.partial({ state: true, output_end: true }),
			),
			more: z.boolean().describe('There are more than are listed'),
		},
		annotations: READS,
		run: async ({ all }) => {
			const names = (await mount.names()).filter((name) => all || mount.owns(name)).sort();
			const sessions = await Promise.all(
				names.slice(0, LISTED_MAX).map(async (name) => ({
					// Another user's session has a name and nothing more.
					...(await stateOf(new Session(mount, name)).catch(() => ({
						session: name,
					}))),
					own: mount.owns(name),
				})),
			);
			return { sessions, more: names.length > LISTED_MAX };
		},
	});

	addTool(context, 'session_status', {
		title: 'Status of a session',
		description:
			'All that is known of a session: state, exit and reason, use of cpu and memory, the ' +
			'isolation in force, ' +
			'its config on request, and the newest lines of its log, which has the reason of ' +
			'everything that was refused.',
		input: {
			...sessionArgument,
			config: z
				.boolean()
				.optional()
				.describe('true: also every key of its config. Default: false'),
		},
		output: {
			session: nameResult,
			status: z
				.record(z.string(), z.string())
				.describe('key and value of each line of `status`'),
			log: z.array(z.string()).describe('The newest lines of `log`'),
			config: z.string().optional().describe('`key value` lines, cut at 16 KiB'),
		},
		annotations: READS,
		run: async ({ session: name, config }) => {
			const session = await Session.find(mount, name);
			return {
				session: session.name,
				status: await session.status(),
				log: (await session.log()).map((line) => fitText(line, LINE_MAX)),
				...(config && { config: fitText(await session.read('config'), CONFIG_MAX) }),
			};
		},
	});

	addTool(context, 'signal', {
		title: 'Send a signal',
		description:
			"Sends a signal to the foreground process group of the session's terminal, as " +
			'Ctrl-C does with INT. To end a session for certain, use kill.',
		input: {
			...sessionArgument,
			signal: z
				.string()
				.regex(/^[A-Za-z0-9+-]{1,16}$/)
				.describe('INT, TERM, HUP, USR1, WINCH, ..., or a number'),
		},
		output: stateResult,
		annotations: { ...ENDS, idempotentHint: false },
		run: async ({ session: name, signal }) => {
			const session = await Session.find(mount, name);
			await session.write('ctl', `signal ${signal}\n`);
			return stateOf(session);
		},
	});

	addTool(context, 'kill', {
		title: 'Kill a session',
		description:
			'Ends every process of a session: SIGTERM, and after kill-grace (150 ms) SIGKILL; ' +
			'then waits for the end. ' +
			'Its output and status can still be read, until remove_session. Does nothing where ' +
			'it has ended already.',
		input: sessionArgument,
		output: stateResult,
		annotations: ENDS,
		run: async ({ session: name }, cancel) => {
			const session = await Session.find(mount, name);
			await session.write('ctl', 'kill\n');
			await ask(session, ['exit'], KILL_MS, cancel);
			return stateOf(session);
		},
	});

	addTool(context, 'remove_session', {
		title: 'Remove a session',
		description:
			'Ends every process of a session, and removes it with its output and its workspace. ' +
			'Its name is free again.',
		input: sessionArgument,
		output: { session: nameResult, removed: z.boolean() },
		annotations: ENDS,
		run: async ({ session: name }) => {
			const session = await Session.find(mount, name);
			await making(context, () => session.remove());
			context.typed.delete(session.name);
			return { session: session.name, removed: true };
		},
	});
}
