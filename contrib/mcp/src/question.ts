// SPDX-License-Identifier: MIT
// Questions of `wait/`, whose answers may take for ever.
//
// A read that waits would keep one of the few threads that all of the server's file operations
// share, and could not be given up. So a cat(1) reads for each: killed, it goes at once, and it
// dies with the server (PR_SET_PDEATHSIG), even by SIGKILL.

import { type ChildProcess, spawn } from 'node:child_process';
import { Failure } from './failure.js';
import type { Session } from './session.js';

const QUESTIONS_MAX = 256;
const NAME_SIZE_MAX = 1024;

const waiting = new Set<ChildProcess>();

export interface Answer {
	reason: 'exit' | 'idle' | 'match' | 'timeout';
	offset: number;
}

/** Of the text, without control sequences: readline prints some before the output of a command. */
export function questionText(offset: number, pattern: string): string {
	return `text@${offset}:${withoutSlash(pattern)}`;
}

/** The same pattern as part of a file's name: a slash is what is neither before nor behind it. */
function withoutSlash(pattern: string): string {
	let result = '';
	for (let at = 0; at < pattern.length; at++) {
		const bracket =
			pattern[at] === '['
				? /^\[\^?\]?(\[:[a-z]*:\]|[^\]])*\]?/.exec(pattern.slice(at))?.[0]
				: undefined;
		const piece =
			bracket ??
			(pattern[at] === '\\' ? pattern.slice(at, at + 2) : (pattern[at] as string));
		if (bracket?.includes('/'))
			throw new Failure(
				'a slash cannot be within the brackets of a pattern: take it out, or write ' +
					"'.' instead",
			);
		result += piece === '/' || piece === '\\/' ? '[^\u0001-.0-\u{10ffff}]' : piece;
		at += piece.length - 1;
	}
	return result;
}

/** The first answer to any of the questions; undefined: none came in time, or it was cancelled. */
export async function ask(
	session: Session,
	questions: string[],
	milliseconds: number,
	cancel: AbortSignal,
): Promise<Answer | undefined> {
	for (const question of questions) {
		if (Buffer.byteLength(question) > NAME_SIZE_MAX)
			throw new Failure('the pattern is too long: 900 bytes at most');
		if (question.includes('\0')) throw new Failure('a pattern cannot hold a NUL byte');
	}
	const over = new AbortController();
	const stop = () => over.abort();
	const timer = setTimeout(stop, milliseconds);
	cancel.addEventListener('abort', stop);
	if (cancel.aborted) stop();
	try {
		return await Promise.race(
			questions.map((question) => askOne(session, question, over.signal)),
		);
	} finally {
		clearTimeout(timer);
		cancel.removeEventListener('abort', stop);
		stop();
	}
}

function askOne(session: Session, question: string, over: AbortSignal): Promise<Answer | undefined> {
	if (over.aborted) return Promise.resolve(undefined);
	if (waiting.size >= QUESTIONS_MAX)
		throw new Failure(`${QUESTIONS_MAX} waits are under way: let some of them end first`);
	const path = `${session.path}/wait/${question}`;
	const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'cat', '--', path], {
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	waiting.add(child);
	const kill = () => void child.kill('SIGKILL');
	over.addEventListener('abort', kill);
	return new Promise((resolve, reject) => {
		let out = '';
		let err = '';
		child.stdout.on('data', (data) => (out += data));
		child.stderr.on('data', (data) => (err += data));
		child.on('error', () => {
			waiting.delete(child);
			reject(new Failure('setpriv(1) cannot be run: install util-linux'));
		});
		child.on('close', (status) => {
			waiting.delete(child);
			over.removeEventListener('abort', kill);
			const answer = /^(exit|idle|match) (\d+)\n$/.exec(out);
			if (answer)
				resolve({ reason: answer[1] as Answer['reason'], offset: Number(answer[2]) });
			else if (over.aborted) resolve(undefined);
			else if (status === 0)
				reject(
					new Failure(
						`the session '${session.name}' was removed while it was waited for`,
					),
				);
			else refusal(session, question, err).then(reject, reject);
		});
	});
}

async function refusal(session: Session, question: string, err: string): Promise<Failure> {
	const line = (await session.log()).pop() ?? ''; // fails with what it is where there is no session
	if (line.includes(' wait: ')) return new Failure(`the question was refused; log: ${line}`);
	return new Failure(`wait/${question} cannot be read: ${err.trim().split(': ').pop()}`);
}

/** Before the server ends. */
export function giveUpAll(): void {
	for (const child of waiting) child.kill('SIGKILL');
}
