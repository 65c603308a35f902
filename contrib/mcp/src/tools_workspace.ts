// SPDX-License-Identifier: MIT
// The tools for the files of a session's /workspace.

import { z } from 'zod';
import { Failure } from './failure.js';
import { Session } from './session.js';
import { cutAtCharacter, decode, fitBase64, fitBytes } from './text.js';
import { ADDS, addTool, type Context, nameResult, READS, sessionArgument } from './tool.js';
import { getFile, putFile } from './workspace.js';

const PUT_MAX = 1_500_000;
const PIECE_DEFAULT = 65536;
const PIECE_MAX = 524288;

const pathArgument = z
	.string()
	.min(1)
	.max(4096)
	.describe(
		'Path relative to /workspace. Symbolic links are not followed. \\xNN is the byte NN: ' +
			'so get_file lists names that are not plain text, and backslashes',
	);

function bytesOf(content: string, encoding: 'utf-8' | 'base64'): Buffer {
	if (encoding === 'base64' && !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(content))
		throw new Failure('content is not base64');
	return Buffer.from(content, encoding === 'base64' ? 'base64' : 'utf8');
}

export function addWorkspaceTools(context: Context): void {
	const { mount } = context;

	addTool(context, 'put_file', {
		title: 'Put a file into the workspace',
		description:
			'Writes a file below /workspace of a session, at once where its program can read ' +
			'it. Directories are made as needed; what has the name already is replaced.',
		input: {
			...sessionArgument,
			path: pathArgument,
			content: z.string().max(PUT_MAX),
			encoding: z
				.enum(['utf-8', 'base64'])
				.optional()
				.describe('Of content. Default: utf-8'),
			executable: z.boolean().optional().describe('true: mode 755. Default: 644'),
			append: z
				.boolean()
				.optional()
				.describe(
					'true: add to the end of the file, for what is too large for one call',
				),
		},
		output: { session: nameResult, path: z.string(), written: z.number().describe('Bytes') },
		annotations: { ...ADDS, destructiveHint: true },
		run: async ({
			session: name,
			path,
			content,
			encoding = 'utf-8',
			executable = false,
			append = false,
		}) => {
			const session = await Session.find(mount, name);
			const bytes = bytesOf(content, encoding);
			await putFile(session, path, bytes, executable ? 0o755 : 0o644, append);
			return { session: session.name, path, written: bytes.length };
		},
	});

	addTool(context, 'get_file', {
		title: 'Get a file from the workspace',
		description:
			"A piece of a file below /workspace of a session; of a directory ('.' is /workspace " +
			'itself) the names in it. Text where it is UTF-8, otherwise base64: encoding tells.',
		input: {
			...sessionArgument,
			path: pathArgument,
			offset: z
				.number()
				.int()
				.min(0)
				.max(Number.MAX_SAFE_INTEGER)
				.optional()
				.describe('Default: 0'),
			max_bytes: z
				.number()
				.int()
				.min(16)
				.max(PIECE_MAX)
				.optional()
				.describe(
					`At most so many bytes of content, or of names, in which a control takes ` +
						`up to 7. Default: ${PIECE_DEFAULT}`,
				),
		},
		output: {
			session: nameResult,
			path: z.string(),
			content: z
				.string()
				.optional()
				.describe('Of a file: the bytes from offset to next_offset'),
			encoding: z.enum(['utf-8', 'base64']).optional(),
			size: z.number().optional().describe('Of the whole file, in bytes'),
			next_offset: z.number().optional(),
			entries: z
				.array(z.string())
				.optional()
				.describe(
					'Of a directory: the names in it; those of directories end with a slash',
				),
			more: z.boolean().describe('There is more than this: of a file, from next_offset on'),
		},
		annotations: READS,
		run: async ({ session: name, path, offset = 0, max_bytes = PIECE_DEFAULT }) => {
			const session = await Session.find(mount, name);
			const found = await getFile(session, path, offset, max_bytes);
			if ('entries' in found) return { session: session.name, path, ...found };
			const last = offset + found.bytes.length >= found.size;
			const whole = last ? found.bytes : cutAtCharacter(found.bytes);
			const text = decode(whole);
			const bytes =
				text === undefined
					? found.bytes.subarray(0, fitBase64(max_bytes))
					: fitBytes(whole, max_bytes);
			return {
				session: session.name,
				path,
				content: text === undefined ? bytes.toString('base64') : bytes.toString(),
				encoding: text === undefined ? ('base64' as const) : ('utf-8' as const),
				size: found.size,
				next_offset: offset + bytes.length,
				more: offset + bytes.length < found.size,
			};
		},
	});
}
