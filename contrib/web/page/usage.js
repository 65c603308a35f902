// SPDX-License-Identifier: MIT
// What the session that is shown uses now, and has used for the last minute.
import { ask } from '/api.js';

const $ = id => document.getElementById(id);
const SECONDS = 60, HEIGHT = 20;

export function bytesText(bytes) {
	const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
	const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
	const value = bytes / 2 ** (10 * power);
	return `${value.toFixed(power && value < 10 ? 1 : 0)} ${units[power]}`;
}

export class Usage {
	constructor() {
		this.name = '';
		setInterval(() => document.hidden || this.look(), 1000);
	}

	// '': none, or one that does not run.
	show(name) {
		if (name === this.name)
			return;
		this.name = name;
		this.cpu = [];
		this.memory = [];
		this.last = null;
		$('usage').hidden = true;
		this.look();
	}

	async look() {
		const { name } = this;
		if (!name || this.looking === name)
			return;
		this.looking = name;
		try {
			const now = await (await ask('GET', `/sessions/${name}/usage`)).json();
			if (name === this.name)
				this.take(now);
		} catch {
			// It has gone: the list tells of that.
		} finally {
			this.looking = null;
		}
	}

	take(now) {
		const { last } = this;
		this.last = now;
		// A machine may have neither.
		if (now.cpu === undefined && now.memory === undefined)
			return;
		if (last && now.cpu !== undefined && now.time > last.time)
			this.draw('cpu', Math.max(now.cpu - last.cpu, 0) / (now.time - last.time), now.cpus,
				value => `CPU ${Math.round(100 * value)} %`);
		if (now.memory !== undefined)
			this.draw('memory', now.memory, now.most, value => `Memory ${bytesText(value)}`);
		$('usage').hidden = false;
	}

	// As a part of the limit; without one, of the most that was seen.
	draw(what, value, limit, text) {
		const values = this[what];
		values.push(value);
		values.splice(0, values.length - SECONDS);
		const most = limit ?? Math.max(...values, 1e-9);
		const points = values.map((each, i) => `${SECONDS - values.length + i},` +
			(HEIGHT - 1 - (HEIGHT - 2) * Math.min(each / most, 1)).toFixed(1));
		$(`${what}-graph`).firstElementChild.setAttribute('points', points.join(' '));
		$(`${what}-text`).textContent = text(value);
	}
}
