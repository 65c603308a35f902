// SPDX-License-Identifier: MIT
// What a tool could not do, in one line that says what to do about it.

export class Failure extends Error {}

/** The errno of a failed system call, such as ENOENT; of anything else undefined. */
export function errno(error: unknown): string | undefined {
	const code = (error as NodeJS.ErrnoException | undefined)?.code;
	return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** One line, of a bounded length, whatever it was. */
export function describe(error: unknown): string {
	const text = error instanceof Error ? error.message : String(error);
	return text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 1000);
}
