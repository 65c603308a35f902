// SPDX-License-Identifier: MIT
// One page that looks at one session.
//
// A terminal's state is what its output has made of it, so a viewer gets `output` from the oldest
// byte that is kept, each byte at the size that it was printed at (`sizes`), and then shows what
// every other viewer shows: cursor, modes, alternate screen, colours and all. A reload is no more
// than a new viewer.
//
// Flow: the page acknowledges what its terminal has drawn, and no more than WINDOW bytes are on the
// way. While the page is at it, nothing is read from `output`. That must not hold up the program:
// `output` is closed when nothing was acknowledged for a while (the tab sleeps), and a viewer that
// is far behind skips ahead: it is brought to the modes that it would have (modes.js), gets the
// last of the output, and a program that draws the whole screen is told to do so (SIGWINCH). So is
// one that comes when there is much output, or when the oldest is gone, whose modes `modes` has.
//
// A flood with `overflow drop` goes faster than it is read: bytes may be gone before they come here.
// Then the viewer goes on at the oldest that is kept, in the modes there, and is told of the gap.
//
// Messages to the page: bytes, to be drawn; and JSON: { size: [rows, cols] } from here on,
// { live: true } all that there was has been sent, { lead } whether to answer what programs ask the
// terminal from here on, { skipped: bytes }, { taken: bytes } of what was typed, in all, { over: reason } and
// { trouble: text }.
// From the page: bytes, as typed, of which no more than 256 KiB are not yet taken; and JSON:
// { ack: bytes } in all, { size: [rows, cols] }, { asked: true } when it met a question that it was
// not to answer.
//
// Who answers is decided by the session, see `answer` in mimobox(5): a viewer asks for it when it is
// live, when another one goes, and when its page meets a question; and lets go of it when the tab
// sleeps.
import { constants } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { coalesced } from './coalesced.js';
import { follow, HELD } from './follow.js';
import { Modes } from './modes.js';

const WINDOW = 512 * 1024;
const ASLEEP_MS = 3000;
const LOOK_MS = 500;            // between two looks at how far a slow viewer is behind
const BEHIND = 4 * 1024 * 1024; // more is too far
const HISTORY = 8 * 1024 * 1024; // more is not drawn anew for a viewer that comes
const TAIL = 256 * 1024;        // what is drawn after a skip
const PIECE = 1024 * 1024;
const LINE = 4096;
const OVERLAP = 64;             // a sequence may be cut where a skip begins
const TYPED_MAX = 1024 * 1024;
const PATIENCE_MS = 5000;       // for a program that reads nothing of what is typed
const PENDING = 4 * 1024 * 1024; // of messages that a page does not take
const ROWS_MAX = 500, COLS_MAX = 1000; // what emulators bear, and more than a screen has
const RESET = Buffer.from('\x18\x1bc'); // CAN, RIS: as new, whatever it was in the midst of
const CANCEL = Buffer.from('\x18');

const bounded = ([rows, cols]) => [Math.min(rows, ROWS_MAX), Math.min(cols, COLS_MAX)];

export class Viewer {
	constructor(mount, name, socket) {
		Object.assign(this, { mount, name, socket });
		this.closed = false;
		this.position = null; // in `output`, of the next byte
		this.live = false;
		this.size = '';
		this.sent = this.acked = 0;
		this.lookedAt = 0;
		this.wake = () => {};
		this.typed = [];
		this.typedBytes = 0;
		this.taken = 0;
		this.passing = false;
		this.answers = null; // `ctl`, open while the page answers
		this.answersFrom = Infinity;
		this.leads = false;
		this.lead = coalesced(() => this.askToAnswer());
		this.leading = null; // that is under way
		this.claim = coalesced(() => this.applySize());
		this.resized = coalesced(() => this.tellSize());
		socket.on('message', (data, binary) => this.hear(data, binary));
		socket.on('close', () => this.close());
		socket.on('error', () => this.close());
	}

	close() {
		this.closed = true;
		this.letAnswer();
		this.stream?.destroy();
		this.wake();
	}

	tell(message) {
		if (this.socket.bufferedAmount > PENDING)
			this.socket.terminate();
		else
			this.socket.send(JSON.stringify(message));
	}

	give(bytes) {
		this.sent += bytes.length;
		this.socket.send(bytes);
	}

	// From the page

	hear(data, binary) {
		if (this.closed)
			return;
		try {
			if (binary)
				this.type(data);
			else
				this.obey(JSON.parse(data));
		} catch {
			this.refuse(1008, 'not understood');
		}
	}

	// Nothing more of it is heard, and its close is not waited for.
	refuse(code, reason) {
		this.close();
		this.socket.close(code, reason);
		setTimeout(() => this.socket.terminate(), 1000).unref();
	}

	obey(message) {
		if (Number.isSafeInteger(message.ack) && message.ack >= this.acked &&
		    message.ack <= this.sent) {
			this.acked = message.ack;
			this.wake();
		} else if (Array.isArray(message.size) && message.size.length === 2 &&
			   message.size.every(n => Number.isSafeInteger(n) && n > 0)) {
			this.wanted = bounded(message.size);
			this.claim();
		} else if (message.asked === true) {
			this.mayLead();
		} else {
			throw new Error('no such message');
		}
	}

	// Who answers

	mayLead() {
		this.leading = this.lead().catch(error => this.trouble(error));
	}

	async askToAnswer() {
		if (this.closed || !this.live || this.answers)
			return;
		const { answers } = await this.mount.status(this.name);
		if (answers !== 'session' && answers !== 'nothing')
			return;
		const file = await this.mount.openNow(this.name, 'ctl', constants.O_WRONLY);
		try {
			await file.write('answer\n');
			const status = await this.mount.status(this.name);
			this.answersFrom = Number(/^attached (\d+)$/.exec(status.answers)[1]);
			this.answers = file;
		} catch {
			await file.close(); // another was faster, or the session has gone
		}
		if (this.closed)
			this.letAnswer();
		this.tellLead();
	}

	tellLead() {
		const leads = this.position >= this.answersFrom;
		if (leads !== this.leads && !this.closed)
			this.tell({ lead: leads });
		this.leads = leads;
	}

	letAnswer() {
		this.answers?.close().catch(() => {});
		this.answers = null;
		this.answersFrom = Infinity;
		this.tellLead();
	}

	// The last one that was asked for.
	async applySize() {
		const [rows, cols] = this.wanted;
		try {
			await this.mount.write(this.name, 'size', `${rows} ${cols}\n`);
			await this.onResize();
		} catch (error) {
			this.trouble(error);
		}
	}

	trouble(error) {
		if (!this.closed)
			this.tell({ trouble: error.message });
	}

	type(bytes) {
		this.typedBytes += bytes.length;
		this.typed.push(bytes);
		if (this.typedBytes > TYPED_MAX)
			this.refuse(1009, 'too much was typed');
		else if (!this.passing)
			this.passOn();
	}

	// In the order in which it was typed, one write at a time.
	async passOn() {
		this.passing = true;
		let file;
		try {
			file = await this.mount.openNow(this.name, 'input', constants.O_WRONLY);
			while (this.typed.length && !this.closed) {
				const bytes = this.typed.shift();
				await this.passBytes(file, bytes);
				this.take(bytes.length);
			}
		} catch (error) {
			this.typed = [];
			this.take(this.typedBytes);
			this.trouble(await this.mount.explained(this.name, error));
		}
		await file?.close().catch(() => {});
		this.passing = false;
		if (this.typed.length && !this.closed)
			this.passOn();
	}

	// Passed on, or given up.
	take(size) {
		this.typedBytes -= size;
		this.taken += size;
		if (!this.closed)
			this.tell({ taken: this.taken });
	}

	async passBytes(file, bytes) {
		let until = Date.now() + PATIENCE_MS;
		while (bytes.length && !this.closed) {
			try {
				const { bytesWritten } = await file.write(bytes);
				bytes = bytes.subarray(bytesWritten);
				until = Date.now() + PATIENCE_MS;
			} catch (error) {
				if (error.code !== 'EAGAIN' || Date.now() > until)
					throw error;
				await pause(20);
			}
		}
	}

	// To the page

	// Goes on until the session's output ends, or the page goes.
	async run() {
		let fruitless = 0;
		while (!this.closed && fruitless < 3) {
			const before = this.position;
			const over = await this.look();
			if (over) {
				this.letAnswer();
				this.tell({ over });
				return;
			}
			fruitless = this.position === before ? fruitless + 1 : 0;
		}
		if (!this.closed)
			this.socket.close(1011, 'output cannot be read');
	}

	// Reads for as long as that is well. What it returns is why there is nothing more to come.
	async look() {
		let early = false;
		try {
			await this.begin();
			for await (const chunk of this.stream.chunks) {
				await this.deliver(chunk);
				early = !await this.keepsUp();
				if (early)
					break;
			}
		} catch (error) {
			if (error.code === 'ENOENT')
				return 'removed';
			if (!this.closed)
				throw error;
		}
		this.stream?.destroy();
		const status = await this.stream?.over;
		if (early) {
			this.letAnswer();
			await this.drawn(0);
			this.mayLead();
		}
		return status === 0 && !early && !this.closed ? 'ended' : null;
	}

	// While `output` is open, nothing from its oldest byte on is dropped, but with `overflow drop`.
	async begin() {
		const file = await this.mount.openStream(this.name, 'output');
		try {
			const { start, end } = await this.mount.range(this.name);
			if (this.position === null)
				await this.startAnew(start, end);
			else if (this.position < start)
				await this.leap(start, end);
			else if (end - this.position > BEHIND)
				await this.skip(new Modes(), Math.max(start, this.position - OVERLAP),
						end - TAIL);
			this.liveFrom ??= end;
		} catch (error) {
			await file.close();
			throw error;
		}
		this.stream = await follow(file, this.position);
		this.fresh = true;
		if (this.closed)
			this.stream.destroy();
		await this.resized();
	}

	// Its next bytes are gone. What it shows stays, and the modes are those at the oldest byte.
	async leap(start, end) {
		const modes = new Modes();
		const bytes = await this.mount.modes(this.name);
		modes.feed(bytes);
		this.give(Buffer.concat([CANCEL, bytes]));
		this.missed(start);
		if (end - start > BEHIND)
			await this.skip(modes, start, end - TAIL);
		else if (modes.alternate)
			await this.drawAnew();
	}

	// A new viewer: from the oldest byte and the modes there.
	async startAnew(start, end) {
		const modes = new Modes();
		const bytes = await this.mount.modes(this.name);
		modes.feed(bytes);
		this.give(Buffer.concat([RESET, bytes]));
		this.position = start;
		if (end - start > HISTORY)
			await this.skip(modes, start, end - TAIL);
		else if (modes.alternate)
			await this.drawAnew();
	}

	// What there is `from` there up to the target is for the modes only.
	async skip(modes, from, target) {
		const before = this.position;
		const file = await this.mount.openNow(this.name, 'output', constants.O_RDONLY);
		this.position = from;
		try {
			while (this.position < target || !modes.betweenSequences ||
			       (!modes.betweenLines && this.position < target + LINE))
				await this.skipPiece(file, target, modes);
		} catch (error) {
			if (error.code === 'ESTALE')
				this.position = Math.max(this.position, (await this.mount.range(this.name)).start);
			else if (error.code !== 'EAGAIN')
				throw error;
		} finally {
			await file.close();
		}
		this.give(modes.restore());
		this.tell({ skipped: this.position - before });
		if (modes.alternate)
			await this.drawAnew();
	}

	// By the program, which has the screen for itself.
	async drawAnew() {
		await this.mount.write(this.name, 'ctl', 'signal WINCH\n').catch(() => {});
	}

	// To the target, and from there to where a line begins, if that is near.
	async skipPiece(file, target, modes) {
		const piece = Buffer.allocUnsafe(PIECE);
		const wanted = Math.min(target - this.position, PIECE);
		const { bytesRead } = await file.read(piece, 0, wanted > 0 ? wanted : LINE,
						      this.position);
		const line = wanted > 0 ? -1 : piece.subarray(0, bytesRead).indexOf(0x0a);
		const size = line < 0 ? bytesRead : line + 1;
		modes.feed(piece.subarray(0, size));
		this.position += size;
		if (bytesRead === 0)
			throw Object.assign(new Error('at its end'), { code: 'EAGAIN' });
	}

	async deliver(chunk) {
		await this.leading; // from where, is known before what comes there is sent
		const sizes = await this.mount.sizes(this.name);
		// The oldest byte may have moved on before the first was read. Then the place of what was
		// read is not known. It is taken for as low as it can be, so that nothing is missed later.
		if (this.fresh && sizes[0][0] - HELD > this.position)
			this.missed(sizes[0][0] - HELD);
		this.fresh = false;
		while (chunk.length && !this.closed) {
			this.showSize(sizes);
			this.tellLead();
			const next = sizes.find(([offset]) => offset > this.position);
			const until = Math.min(next?.[0] ?? Infinity,
				this.leads ? Infinity : this.answersFrom, this.position + chunk.length);
			const part = chunk.subarray(0, until - this.position);
			this.give(part);
			this.position += part.length;
			chunk = chunk.subarray(part.length);
			this.becomeLive();
		}
		this.tellLead();
		this.showSize(sizes);
	}

	missed(start) {
		this.tell({ skipped: start - this.position });
		this.position = start;
	}

	becomeLive() {
		if (this.live || this.position < this.liveFrom)
			return;
		this.live = true;
		this.tell({ live: true });
		this.mayLead();
	}

	// The size in force at the position.
	showSize(sizes) {
		const [, ...all] = sizes.findLast(([offset]) => offset <= this.position) ?? sizes[0];
		const shown = bounded(all);
		if (shown.join() !== this.size)
			this.tell({ size: shown });
		this.size = shown.join();
	}

	// A size that nothing was printed at as yet.
	async tellSize() {
		if (this.position === null || this.closed)
			return;
		this.showSize(await this.mount.sizes(this.name));
		this.becomeLive();
	}

	// False: it is too far behind, or does not move, so that `output` is not to be kept open.
	async keepsUp() {
		if (this.closed)
			return false;
		if (this.sent - this.acked <= WINDOW)
			return true;
		if (!await this.drawn(WINDOW / 2, ASLEEP_MS) || this.closed)
			return false;
		if (Date.now() - this.lookedAt < LOOK_MS)
			return true;
		this.lookedAt = Date.now();
		const { end } = await this.mount.range(this.name);
		this.tooFar = end - this.position > BEHIND;
		return !this.tooFar;
	}

	// Waits until no more than so much is on the way. False: it has taken too long.
	drawn(left, milliseconds) {
		return new Promise(resolve => {
			const timer = milliseconds && setTimeout(() => finish(false), milliseconds);
			const finish = result => {
				clearTimeout(timer);
				this.wake = () => {};
				resolve(result);
			};
			this.wake = () => {
				if (this.closed || this.sent - this.acked <= left)
					finish(true);
			};
			this.wake();
		});
	}
}
