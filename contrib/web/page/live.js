// SPDX-License-Identifier: MIT
// The terminal of a session. The messages are those that viewer.js of the server tells of.
//
// What comes is done in its order: a size only when all that was printed before has been drawn.
import { FitAddon } from '/fit.js';
import { connect } from '/api.js';
import { bearable, makeTerminal, resizeTerminal, restrainAnswers } from '/terminal.js';

const ACK = 64 * 1024;
const TYPED = 32 * 1024; // in one message
const UNTAKEN = 256 * 1024; // of what was typed, on the way at a time
const ANSWERS = 16 * 1024; // while more is not taken, programs get no answer
const ASKED_MS = 200;      // between two wishes to answer
const encoder = new TextEncoder();

export class Live {
	// `tell(trouble)` shows a line to the user; `onKey` may take a key away from the terminal.
	constructor(stage, name, { tell, onKey }) {
		Object.assign(this, makeTerminal(stage), { name, tell });
		this.fit = new FitAddon();
		this.terminal.loadAddon(this.fit);
		this.queue = [];
		this.writing = this.drawn = this.acked = this.skipped = 0;
		this.live = this.lead = this.over = false;
		this.typed = []; // not yet sent
		this.typedBytes = this.sent = this.taken = 0;
		// One that asks without end, and reads no answer, is not answered.
		restrainAnswers(this.terminal, () => this.live && (this.lead || this.wouldLead()) &&
			this.typedBytes + this.sent - this.taken < ANSWERS);
		this.terminal.attachCustomKeyEventHandler(onKey);
		this.terminal.onData(text => this.says(text) && this.type(encoder.encode(text)));
		this.terminal.onBinary(text => this.type(Uint8Array.from(text, c => c.charCodeAt(0))));
		this.terminal.textarea.addEventListener('focus', () => this.claim());
		this.socket = connect(`/view/${name}`);
		this.socket.onopen = () => {
			this.claim();
			this.passOn();
		};
		this.socket.onmessage = ({ data }) => this.hear(data);
		this.socket.onclose = () => this.over || tell('The connection has ended: reload the page.');
		this.observer = new ResizeObserver(() => this.socket.readyState === 1 && this.claim());
		this.observer.observe(stage);
		// All that there was is drawn, and the size is that of this window.
		this.ready = new Promise(resolve => { this.becomeReady = resolve; });
	}

	close() {
		this.over = true;
		this.observer.disconnect();
		this.socket.close();
		this.terminal.dispose();
		this.host.remove();
	}

	send(message) {
		if (this.socket.readyState === WebSocket.OPEN)
			this.socket.send(message);
	}

	// Mode 1004, drawn anew from what was printed once, has the terminal tell of its focus at once.
	says(text) {
		return this.live || (text !== '\x1b[I' && text !== '\x1b[O');
	}

	// Another answers this question. If that one has gone, this page can answer the next.
	wouldLead() {
		if (!this.asking) {
			this.send(JSON.stringify({ asked: true }));
			this.asking = setTimeout(() => { this.asking = null; }, ASKED_MS);
		}
		return false;
	}

	type(bytes) {
		if (this.over)
			return;
		this.typed.push(bytes);
		this.typedBytes += bytes.length;
		this.passOn();
	}

	// As much as may be on the way.
	passOn() {
		while (this.socket.readyState === WebSocket.OPEN && this.typed.length &&
		       this.sent - this.taken < UNTAKEN) {
			const [bytes] = this.typed;
			const piece = bytes.subarray(0, TYPED);
			this.send(piece);
			this.sent += piece.length;
			this.typedBytes -= piece.length;
			if (piece.length < bytes.length)
				this.typed[0] = bytes.subarray(TYPED);
			else
				this.typed.shift();
		}
	}

	// The size that fits this window: whoever came, changed theirs, or came back last, has it.
	claim() {
		this.host.classList.remove('foreign');
		const fitting = this.fit.proposeDimensions();
		if (!fitting || this.over || Number.isNaN(fitting.rows) || Number.isNaN(fitting.cols))
			return;
		const { rows, cols } = this.fitting = bearable(fitting.rows, fitting.cols);
		if (rows !== this.terminal.rows || cols !== this.terminal.cols || !this.claimed)
			this.send(JSON.stringify({ size: [rows, cols] }));
		this.claimed = true;
		this.showFit();
	}

	showFit() {
		const { rows, cols } = this.fitting ?? this.terminal;
		this.host.classList.toggle('foreign',
			this.terminal.rows > rows || this.terminal.cols > cols);
	}

	hear(data) {
		this.queue.push(typeof data === 'string' ? JSON.parse(data) : new Uint8Array(data));
		this.proceed();
	}

	// xterm.js may draw at once what follows a key, and so come back here from draw().
	proceed() {
		while (this.queue.length && (!this.writing || this.queue[0] instanceof Uint8Array)) {
			const next = this.queue.shift();
			if (next instanceof Uint8Array)
				this.draw(next);
			else
				this.obey(next);
		}
	}

	draw(bytes) {
		this.writing++;
		this.terminal.write(bytes, () => {
			this.writing--;
			this.drawn += bytes.length;
			if (this.drawn - this.acked >= ACK || !this.writing)
				this.send(JSON.stringify({ ack: this.acked = this.drawn }));
			this.proceed();
		});
	}

	obey({ size, live, lead, skipped, taken, over, trouble }) {
		if (size) {
			resizeTerminal(this.terminal, ...size);
			this.showFit();
		}
		this.lead = lead ?? this.lead;
		this.live ||= live === true;
		if (skipped) {
			this.skipped += skipped;
			this.tell(`${(this.skipped / 1e6).toFixed(1)} MB of output went by unseen here`);
		}
		if (taken) {
			this.taken = taken;
			this.passOn();
		}
		if (trouble)
			this.tell(trouble);
		if (over) {
			this.over = true;
			this.terminal.options.disableStdin = true;
			this.terminal.options.cursorBlink = false;
		}
		if (this.live && this.fitting?.rows === this.terminal.rows &&
		    this.fitting.cols === this.terminal.cols)
			this.becomeReady();
	}
}
