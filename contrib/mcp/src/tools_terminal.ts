// SPDX-License-Identifier: MIT
// The tools for what a person would do at the session's terminal.

import { z } from 'zod';
import { Failure } from './failure.js';
import { keyBytes, KEY_NAMES } from './keys.js';
import { readOutput } from './output.js';
import { ask, questionText } from './question.js';
import { Session } from './session.js';
import { decodeLossy, fitText } from './text.js';
import {
	ADDS,
	addTool,
	type Context,
	nameResult,
	READS,
	sessionArgument,
	stateOf,
	stateResult,
} from './tool.js';
import { sizeArguments } from './tools_session.js';

const PIECE_DEFAULT = 16384;
const PIECE_MAX = 262144;
const SCREEN_MAX = 65536;
const INPUT_MAX = 262144;
const WAIT_DEFAULT_S = 30;
const WAIT_MAX_S = 3600;

async function outputEnd(session: Session): Promise<number> {
	return Number((await session.status())['output-end'] ?? 0);
}

async function bytesOf(session: Session, text: string, keys: string[]): Promise<Buffer> {
	const pressed = keys.map(keyBytes);
	// A terminal makes a line end of what Enter sends; a pipe takes it as it is.
	if (pressed.includes('\r') && !(await session.hasTerminal()))
		return Buffer.from(text + pressed.map((key) => (key === '\r' ? '\n' : key)).join(''));
	return Buffer.from(text + pressed.join(''));
}

export function addTerminalTools(context: Context): void {
	const { mount } = context;

	addTool(context, 'send_input', {
		title: 'Type into a session',
		description:
			'Types text, then presses keys, then ends the input if eof. Nothing is added: end a ' +
			'line with the key enter. ' +
			'Returns before the program has answered: follow with wait, whose pattern is by ' +
			'default looked for in what is printed after this.',
		input: {
			...sessionArgument,
			text: z.string().max(INPUT_MAX).optional().describe('Text, typed as it is'),
			keys: z
				.array(z.string().max(20))
				.max(1000)
				.optional()
				.describe(`Keys pressed after the text, by name: ${KEY_NAMES}`),
			eof: z.boolean().optional().describe('true: end of input, after text and keys'),
		},
		output: {
			session: nameResult,
			written: z.number().describe('Bytes that were taken'),
			offset: z
				.number()
				.describe('Where output ended before: the answer comes from here on'),
		},
		annotations: ADDS,
		run: async ({ session: name, text = '', keys = [], eof = false }) => {
			const session = await Session.find(mount, name);
			const bytes = await bytesOf(session, text, keys);
			if (!bytes.length && !eof)
				throw new Failure('nothing to send: give text, keys or eof');
			const offset = await outputEnd(session);
			context.typed.set(session.name, offset);
			const written = bytes.length ? await session.type(bytes) : 0;
			if (written < bytes.length)
				throw new Failure(
					`only ${written} of ${bytes.length} bytes were taken: the program ` +
						`reads no input now; send the rest later`,
				);
			if (eof) await session.write('ctl', 'eof\n');
			return { session: session.name, written, offset };
		},
	});

	addTool(context, 'read_output', {
		title: 'Read output',
		description:
			'What the session has printed, from an offset on (offset N is byte N since its ' +
			'start), without waiting. ' +
			'Give next_offset as the offset of the next call, and nothing is missed or seen twice. ' +
			'Raw, with escape sequences and \\r\\n; for programs that draw on the screen use ' +
			'read_screen.',
		input: {
			...sessionArgument,
			offset: z
				.number()
				.int()
				.min(0)
				.max(Number.MAX_SAFE_INTEGER)
				.optional()
				.describe('Default: 0, the beginning. Negative is not allowed'),
			max_bytes: z
				.number()
				.int()
				.min(16)
				.max(PIECE_MAX)
				.optional()
				.describe(
					`At most so many bytes of text here, in which a control takes up to 7. ` +
						`Default: ${PIECE_DEFAULT}`,
				),
			stream: z
				.enum(['output', 'stderr'])
				.optional()
				.describe('stderr: only for sessions with terminal false. Default: output'),
			encoding: z
				.enum(['utf-8', 'base64'])
				.optional()
				.describe(
					'base64: the exact bytes. Default: utf-8, in which bytes that are ' +
						'not UTF-8 become U+FFFD',
				),
		},
		output: {
			session: nameResult,
			text: z
				.string()
				.describe('The bytes from offset to next_offset, in the encoding asked for'),
			offset: z
				.number()
				.describe(
					'Offset of the first byte: behind the one asked for if bytes were dropped',
				),
			next_offset: z.number().describe('Where to go on'),
			dropped: z
				.number()
				.describe(
					'Bytes lost between the offset asked for and the first one here, ' +
						'since only the newest are kept (config: retain)',
				),
			remaining: z
				.number()
				.describe('Bytes that can be read from next_offset on right now'),
			end: z
				.boolean()
				.describe('true: the session has ended, and this was the last of its output'),
		},
		annotations: READS,
		run: async ({
			session: name,
			offset = 0,
			max_bytes = PIECE_DEFAULT,
			stream = 'output',
			encoding = 'utf-8',
		}) => {
			const session = await Session.find(mount, name);
			const piece = await readOutput(
				session,
				stream,
				offset,
				max_bytes,
				encoding === 'base64',
			);
			return {
				session: session.name,
				text:
					encoding === 'base64'
						? piece.bytes.toString('base64')
						: decodeLossy(piece.bytes),
				offset: piece.offset,
				next_offset: piece.next,
				dropped: piece.dropped,
				remaining: piece.remaining,
				end: piece.end,
			};
		},
	});

	addTool(context, 'wait', {
		title: 'Wait for a session',
		description:
			'Waits, without polling, until the session has ended, or, if asked, its output ' +
			'matches pattern or nothing was printed for idle_ms; whichever is first. ' +
			'A timeout is no error: waited_for tells. Many waits can be under way at a time, and ' +
			'hold up nothing else.',
		input: {
			...sessionArgument,
			pattern: z
				.string()
				.min(1)
				.max(900)
				.optional()
				.describe(
					'POSIX extended regular expression (no \\d, \\w: write [0-9], ' +
						'[[:alnum:]_]), matched against the text of output line by line, ' +
						'without control sequences and line ends: ^ is where a line begins',
				),
			offset: z
				.number()
				.int()
				.min(0)
				.max(Number.MAX_SAFE_INTEGER)
				.optional()
				.describe(
					'With pattern: look from this offset on. Default: where output ' +
						"ended before this server's last send_input, or 0",
				),
			idle_ms: z
				.number()
				.int()
				.min(0)
				.max(WAIT_MAX_S * 1000)
				.optional()
				.describe('Nothing printed for so long, from now on'),
			timeout_s: z
				.number()
				.min(0)
				.max(WAIT_MAX_S)
				.optional()
				.describe(`At most so many seconds. Default: ${WAIT_DEFAULT_S}`),
		},
		output: {
			...stateResult,
			waited_for: z.enum(['exit', 'match', 'idle', 'timeout']).describe('What came first'),
			offset: z
				.number()
				.describe('match: the offset behind the match; else where output ended'),
		},
		annotations: READS,
		run: async (
			{ session: name, pattern, offset, idle_ms, timeout_s = WAIT_DEFAULT_S },
			cancel,
		) => {
			const session = await Session.find(mount, name);
			const questions = [];
			if (pattern !== undefined)
				questions.push(
					questionText(
						offset ?? context.typed.get(session.name) ?? 0,
						pattern,
					),
				);
			if (idle_ms !== undefined) questions.push(`idle:${idle_ms}ms`);
			const answer = await ask(
				session,
				questions.length ? questions : ['exit'],
				timeout_s * 1000,
				cancel,
			);
			const state = await stateOf(session);
			return {
				...state,
				waited_for: answer?.reason ?? 'timeout',
				offset: answer?.offset ?? state.output_end,
			};
		},
	});

	addTool(context, 'read_screen', {
		title: 'See the screen',
		description:
			'The terminal as a person would see it now, as lines of text, without blank lines ' +
			'at the end. For vim, less, top and other programs that draw; after wait with ' +
			'idle_ms, so that they have drawn.',
		input: sessionArgument,
		output: {
			session: nameResult,
			screen: z.string(),
			rows: z.number(),
			columns: z.number(),
			cursor: z.object({
				row: z.number().describe('From 1, as column'),
				column: z.number(),
				visible: z.boolean(),
			}),
			truncated: z.boolean().describe(`It was cut at ${SCREEN_MAX} bytes`),
		},
		annotations: READS,
		run: async ({ session: name }) => {
			const session = await Session.find(mount, name);
			const [rows = 0, columns = 0] = (await session.read('size')).split(' ').map(Number);
			const screen = (await session.read('screen')).trimEnd();
			const [row, column, visible] = (await session.read('cursor')).trim().split(' ');
			const shown = fitText(screen, SCREEN_MAX);
			return {
				session: session.name,
				screen: shown,
				rows,
				columns,
				cursor: {
					row: Number(row),
					column: Number(column),
					visible: visible === 'visible',
				},
				truncated: shown.length < screen.length,
			};
		},
	});

	addTool(context, 'resize', {
		title: 'Resize the terminal',
		description: 'Gives the terminal another size; the program is told by SIGWINCH.',
		input: { ...sessionArgument, ...sizeArguments },
		output: stateResult,
		annotations: { ...ADDS, idempotentHint: true },
		run: async ({ session: name, rows, columns }) => {
			const session = await Session.find(mount, name);
			await session.resize({ rows, columns });
			return stateOf(session);
		},
	});
}
