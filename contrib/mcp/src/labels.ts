// SPDX-License-Identifier: MIT
// Labels: extended attributes `user.*` of a session's directory. Node has no call for them, so
// setfattr(1) and getfattr(1) make it.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errno, Failure } from './failure.js';
import type { Session } from './session.js';

const run = promisify(execFile);
const PREFIX = 'user.';

export type Labels = Record<string, string>;

function failure(session: Session, error: unknown): Failure {
	if (errno(error) === 'ENOENT')
		return new Failure('setfattr(1) cannot be run: install the package attr');
	const said = String((error as { stderr?: string }).stderr ?? '').trim();
	const reason = said.split('\n')[0]?.split(': ').pop();
	return new Failure(`the labels of '${session.name}': ${reason || (error as Error).message}`);
}

/** `\NNN` stands for the byte of that octal number. */
function unescape(name: string): string {
	const bytes = name.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
	return Buffer.from(bytes, 'latin1').toString();
}

export async function readLabels(session: Session): Promise<Labels> {
	const argv = ['--absolute-names', '-d', '-e', 'base64', '--', session.path];
	const { stdout } = await run('getfattr', argv, { encoding: 'latin1' }).catch((error) => {
		throw failure(session, error);
	});
	const labels: Labels = {};
	for (const line of stdout.split('\n')) {
		if (!line.startsWith(PREFIX)) continue;
		const [, name = '', value = ''] = /^([^=]*)=?(?:0s(.*))?$/.exec(line) ?? [];
		labels[unescape(name).slice(PREFIX.length)] = Buffer.from(value, 'base64').toString();
	}
	return labels;
}

/** null takes one away. */
export async function setLabel(session: Session, name: string, value: string | null): Promise<void> {
	const full = PREFIX + name;
	// An empty value in base64 would be taken for none at all, and nothing done.
	const given = value ? ['-v', `0s${Buffer.from(value).toString('base64')}`] : [];
	const argv = [value === null ? '-x' : '-n', full, ...given, '--', session.path];
	await run('setfattr', argv).catch((error) => {
		const none = value === null && /No such attribute/.test(String(error.stderr));
		if (!none) throw failure(session, error);
	});
}
