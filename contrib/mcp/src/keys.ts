// SPDX-License-Identifier: MIT
// Keys by name, as the bytes that an xterm sends for them.

import { Failure } from './failure.js';

const KEYS: Record<string, string> = {
	enter: '\r',
	tab: '\t',
	'shift-tab': '\x1b[Z',
	escape: '\x1b',
	space: ' ',
	backspace: '\x7f',
	up: '\x1b[A',
	down: '\x1b[B',
	right: '\x1b[C',
	left: '\x1b[D',
	home: '\x1b[H',
	end: '\x1b[F',
	insert: '\x1b[2~',
	delete: '\x1b[3~',
	'page-up': '\x1b[5~',
	'page-down': '\x1b[6~',
	f1: '\x1bOP',
	f2: '\x1bOQ',
	f3: '\x1bOR',
	f4: '\x1bOS',
	f5: '\x1b[15~',
	f6: '\x1b[17~',
	f7: '\x1b[18~',
	f8: '\x1b[19~',
	f9: '\x1b[20~',
	f10: '\x1b[21~',
	f11: '\x1b[23~',
	f12: '\x1b[24~',
};

export const KEY_NAMES = Object.keys(KEYS).join(', ') + ', ctrl-X (ctrl-c, ctrl-d, ctrl-[, ...) and alt-X';

export function keyBytes(key: string): string {
	const name = key
		.trim()
		.toLowerCase()
		.replace(/[+_]/g, '-')
		.replace(/^control-/, 'ctrl-')
		.replace(/^meta-/, 'alt-');
	const known = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
	const bytes = known ?? (name === 'return' ? '\r' : name === 'esc' ? '\x1b' : undefined);
	if (bytes !== undefined) return bytes;
	const control = /^ctrl-([a-z@[\\\]^]|space|-)$/.exec(name)?.[1];
	if (control === 'space') return '\0';
	if (control === '-') return '\x1f'; // as written ctrl-_
	if (control) return String.fromCharCode(control.toUpperCase().charCodeAt(0) & 0x1f);
	// Case matters here, so it is taken from what was given.
	const alt = /^(?:alt|meta)[-+_]([\x20-\x7e])$/i.exec(key.trim())?.[1];
	if (alt) return '\x1b' + alt;
	throw new Failure(`unknown key '${key}': the keys are ${KEY_NAMES}`);
}
