// SPDX-License-Identifier: MIT
// Plays a recording, as `cast` has it: a header, then events [time, "o" or "r", data], one a line.
import { ask } from '/api.js';
import { makeTerminal, resizeTerminal } from '/terminal.js';

const PAUSE_MAX = 2;         // seconds; nobody wants to see more of nothing
const PIECE = 256 * 1024;    // drawn at once

// Times without long pauses.
export function parseCast(text) {
	const [header, ...lines] = text.trimEnd().split('\n').map(line => JSON.parse(line));
	let time = 0, recorded = 0;
	const events = lines.map(([at, type, data]) => {
		time += Math.min(at - recorded, PAUSE_MAX);
		recorded = at;
		return { time, type, data };
	});
	return { rows: header.height, cols: header.width, events, duration: time };
}

export class Player {
	// `onTime(now, duration, playing)` is called whenever one of them has changed.
	constructor(stage, name, { onTime, onKey }) {
		Object.assign(this, makeTerminal(stage, { disableStdin: true, cursorBlink: false }), { name });
		this.terminal.attachCustomKeyEventHandler(onKey);
		this.host.classList.add('foreign');
		this.onTime = onTime;
		this.now = this.next = 0;
		this.speed = 1;
		this.playing = this.closed = false;
		this.ready = this.load();
	}

	async load() {
		const response = await ask('GET', `/sessions/${this.name}/cast`);
		this.cast = parseCast(await response.text());
		this.begin();
		this.play();
	}

	close() {
		this.closed = true;
		this.playing = false;
		this.terminal.dispose();
		this.host.remove();
	}

	begin() {
		this.terminal.reset();
		resizeTerminal(this.terminal, this.cast.rows, this.cast.cols);
		this.next = 0;
	}

	tellTime() {
		this.onTime(this.now, this.cast.duration, this.playing);
	}

	play() {
		if (this.now >= this.cast.duration)
			this.seek(0);
		this.playing = true;
		this.tellTime();
		let before = performance.now();
		const frame = async at => {
			if (!this.playing)
				return;
			this.now += Math.max(at - before, 0) / 1000 * this.speed;
			before = at;
			await this.seek(this.now);
			this.playing &&= this.now < this.cast.duration;
			this.tellTime();
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	}

	pause() {
		this.playing = false;
		this.tellTime();
	}

	// Draws all up to that time; back in time, from the beginning. One at a time: the last counts.
	seek(time) {
		this.now = Math.min(Math.max(time, 0), this.cast.duration);
		this.seeking ??= this.draw().finally(() => { this.seeking = null; });
		this.tellTime();
		return this.seeking;
	}

	async draw() {
		const { events } = this.cast;
		const due = () => !this.closed && this.next < events.length &&
			events[this.next].time <= this.now;
		if (this.next && events[this.next - 1].time > this.now)
			this.begin();
		while (due()) {
			if (events[this.next].type === 'r') {
				const [cols, rows] = events[this.next++].data.split('x').map(Number);
				resizeTerminal(this.terminal, rows, cols);
				continue;
			}
			let text = '';
			while (due() && events[this.next].type !== 'r' && text.length < PIECE)
				text += events[this.next].type === 'o' ? events[this.next++].data :
					(this.next++, '');
			await new Promise(resolve => this.terminal.write(text, resolve));
			if (this.next && events[this.next - 1].time > this.now)
				this.begin();
		}
	}
}
