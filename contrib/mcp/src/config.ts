// SPDX-License-Identifier: MIT
// The arguments of start_session as lines of a session's `config`.

import { z } from 'zod';
import { Failure } from './failure.js';
import type { Policy } from './policy.js';
import type { Values } from './tool.js';

const value = z.union([z.string().max(4096), z.number(), z.boolean()]);

export const configArguments = (policy: Policy) => ({
	command: z
		.string()
		.min(1)
		.max(100_000)
		.optional()
		.describe('Command line for /bin/sh -c. Without command and argv: an interactive /bin/sh.'),
	argv: z
		.array(z.string())
		.min(1)
		.max(1000)
		.optional()
		.describe('Instead of command: the program and its exact arguments, without a shell'),
	cwd: z
		.string()
		.max(4096)
		.optional()
		.describe('Directory to start in, as the sandbox sees it. Default: /tmp'),
	env: z.record(z.string(), z.string()).optional().describe('Variables to add to the environment'),
	terminal: z
		.boolean()
		.optional()
		.describe(
			'true (default): a terminal, with echo and \\r\\n. false: pipes; then stderr is ' +
				'apart, and eof closes standard input.',
		),
	config: z
		.record(z.string(), z.union([value, z.array(value)]))
		.optional()
		.describe(
			'More keys, each with a value, or an array of them for keys that add up. ' +
				'timeout (30s, 2h; default none), idle-timeout (unused for so long), memory (512M), processes (128), cpu ' +
				'(cores, 1), tmp-size (64M), disk (none: what the workspace, the home and overlays may hold), home (0; none: HOME is /tmp), terminals (8), ' +
				'file-size, open-files, ro, rw and overlay (host paths to see, to change, or to change a copy ' +
				'of: list_changes), root (a directory with another system), device, each HOST or ' +
				'HOST:INSIDE), ' +
				"network ('none' default, 'names' for hosts that allow lists, as " +
				"'github.com:22,443' or '*.example.org'; 'host', or 'tcp 53,443'), seccomp ('essential' " +
				"default, 'strict', 'network', 'compat'), " +
				"retain (output kept, 64M), overflow ('wait' default, 'drop'), ends " +
				"('command', 'last-process'), replies (to programs that ask their terminal: " +
				"'auto' default, 'always', 'never'). " +
				policy.describe(),
		),
});

type Arguments = Partial<Values<ReturnType<typeof configArguments>>>;

function line(key: string, text: string): string {
	if (!/^[a-z][a-z-]*$/.test(key))
		throw new Failure(`'${key}' is no key of the config: they are lower-case with dashes`);
	if (/[\0-\x08\n-\x1f\x7f]/.test(text))
		throw new Failure(`config ${key}: a value cannot hold a line break or another control`);
	return `${key} ${text}`;
}

/** JSON has a way to write what a line of `config` cannot hold. */
function commandLine({ command, argv }: Arguments): string[] {
	if (command !== undefined && argv) throw new Failure('give either command or argv, not both');
	const exact = argv ?? (command !== undefined ? ['/bin/sh', '-c', '--', command] : undefined);
	return exact ? [`argv ${JSON.stringify(exact)}`] : [];
}

/** `defaults` are what the mount's file of that name has. */
export function configLines(given: Arguments, policy: Policy, defaults: Map<string, string>): string[] {
	const lines: string[] = [];
	for (const [key, values] of Object.entries(given.config ?? {}))
		for (const each of Array.isArray(values) ? values : [values]) {
			const text = typeof each === 'boolean' ? (each ? 'yes' : 'no') : String(each);
			lines.push(line(key, text));
			policy.check(key, text, defaults);
		}
	if (given.cwd !== undefined) lines.push(line('cwd', given.cwd));
	for (const [name, text] of Object.entries(given.env ?? {}))
		lines.push(line('env', `${name}=${text}`));
	if (given.terminal !== undefined) lines.push(line('terminal', given.terminal ? 'yes' : 'no'));
	return [...lines, ...commandLine(given)];
}
