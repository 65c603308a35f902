// SPDX-License-Identifier: MIT
// What output that nobody will see has done to the modes of a terminal.
//
// A viewer that is too far behind skips some output. The lines in it are lost to that viewer, but
// a program that drew them relies on the modes it has set: which screen, which keys, the mouse.
// These are few, and the last value of each counts, so skipped output comes down to a few bytes.
const ESC = 0x1b;
const GROUND = 0, ESCAPE = 1, CSI = 2, STRING = 3;
const SEQUENCE_MAX = 64; // a longer one sets no mode
const COLOURS_MAX = 32;
const ALTERNATE = [47, 1047, 1049];
const OF_THE_MOMENT = [3, 1048, 2026]; // not modes, or none that should outlast a moment

export class Modes {
	constructor() {
		this.state = GROUND;
		this.text = '';
		this.clear();
	}

	clear() {
		this.alternate = null; // the mode that entered it, false: left, null: not known
		this.privates = new Map();
		this.ansi = new Map();
		this.charsets = new Map();
		this.keypad = this.shift = this.region = this.cursor = '';
		this.colours = [];
	}

	get betweenSequences() {
		return this.state === GROUND;
	}

	get betweenLines() {
		return this.state === GROUND && this.last === 0x0a;
	}

	feed(bytes) {
		this.last = bytes.at(-1);
		for (let at = 0; at < bytes.length;) {
			if (this.state !== GROUND) {
				this.take(bytes[at++]);
				continue;
			}
			const next = bytes.indexOf(ESC, at);
			this.shifts(bytes.subarray(at, next < 0 ? bytes.length : next));
			if (next < 0)
				return;
			this.state = ESCAPE;
			this.text = '';
			at = next + 1;
		}
	}

	shifts(bytes) {
		const out = bytes.lastIndexOf(0x0e), back = bytes.lastIndexOf(0x0f);
		if (out !== back)
			this.shift = out > back ? '\x0e' : '\x0f';
	}

	take(byte) {
		if (byte === ESC) {
			this.state = ESCAPE;
			this.text = '';
		} else if (byte === 0x18 || byte === 0x1a) {
			this.state = GROUND;
		} else if (this.state === STRING) {
			if (byte === 0x07)
				this.state = GROUND;
		} else if (byte >= 0x20) {
			this.takeSequence(byte);
		}
	}

	takeSequence(byte) {
		const character = String.fromCharCode(byte);
		if (this.state === ESCAPE && this.text === '' && character === '[') {
			this.state = CSI;
		} else if (this.state === ESCAPE && this.text === '' && 'P]X^_'.includes(character)) {
			this.state = STRING;
		} else if (byte >= (this.state === CSI ? 0x40 : 0x30)) {
			if (this.state === CSI)
				this.csi(this.text, character);
			else
				this.escape(this.text, character);
			this.state = GROUND;
		} else if (this.text.length < SEQUENCE_MAX) {
			this.text += character;
		}
	}

	escape(intermediate, final) {
		if (intermediate && '()*+'.includes(intermediate))
			this.charsets.set(intermediate, final);
		else if (!intermediate && final === 'c')
			this.clear();
		else if (!intermediate && '=>'.includes(final))
			this.keypad = final;
	}

	csi(text, final) {
		if ((final === 'h' || final === 'l') && text[0] === '?')
			text.slice(1).split(';').forEach(mode => this.set(Number(mode), final));
		else if ((final === 'h' || final === 'l') && /^[\d;]+$/.test(text))
			text.split(';').forEach(mode => this.ansi.set(Number(mode), final));
		else if (final === 'm' && /^[\d;:]*$/.test(text))
			this.colour(text);
		else if (final === 'r' && /^[\d;]*$/.test(text))
			this.region = text;
		else if (final === 'q' && text.endsWith(' '))
			this.cursor = text;
		else if (final === 'p' && text === '!')
			this.softReset();
	}

	set(mode, final) {
		if (ALTERNATE.includes(mode))
			this.alternate = final === 'h' && mode;
		else if (mode > 0 && !OF_THE_MOMENT.includes(mode))
			this.privates.set(mode, final);
	}

	colour(text) {
		if (/^0*(;|$)/.test(text))
			this.colours = [];
		if (this.colours.push(text) > COLOURS_MAX)
			this.colours.shift();
	}

	softReset() {
		const { alternate } = this;
		this.clear();
		this.alternate = alternate;
		this.colours = ['0'];
		this.ansi.set(4, 'l');
		this.privates.set(1, 'l').set(6, 'l').set(7, 'h').set(25, 'h');
	}

	// Bytes that bring a terminal there, whatever half of a sequence it is in. The region moves
	// the cursor and so comes before it matters; what is drawn then is the program's.
	restore() {
		const all = ['\x18'];
		if (this.alternate)
			all.push(`\x1b[?${this.alternate}h`);
		else if (this.alternate === false)
			all.push('\x1b[?1049l');
		if (this.region)
			all.push(`\x1b7\x1b[${this.region}r\x1b8`);
		for (const [mode, final] of this.privates)
			all.push(`\x1b[?${mode}${final}`);
		for (const [mode, final] of this.ansi)
			all.push(`\x1b[${mode}${final}`);
		for (const [which, set] of this.charsets)
			all.push(`\x1b${which}${set}`);
		all.push(this.shift, this.keypad && `\x1b${this.keypad}`);
		all.push(this.cursor && `\x1b[${this.cursor}q`);
		all.push(...this.colours.map(text => `\x1b[${text}m`));
		return Buffer.from(all.join(''), 'latin1');
	}
}
