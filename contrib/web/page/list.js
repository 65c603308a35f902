// SPDX-License-Identifier: MIT
// The list at the left, as the server's messages have it.
import { connect } from '/api.js';

const UNITS = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];

function since(time) {
	const seconds = Math.max(1, Math.floor((Date.now() - Date.parse(time)) / 1000));
	const [size, unit] = UNITS.find(([size]) => seconds >= size);
	return `${Math.floor(seconds / size)} ${unit}`;
}

export function stateOf({ state, exit, reason }) {
	if (state !== 'exited')
		return state;
	if (reason && reason !== 'exit')
		return `ended: ${reason}`;
	return Number(exit) < 0 ? `ended by signal ${-exit}` : `exited ${exit}`;
}

function element(name, className, text) {
	const made = document.createElement(name);
	made.className = className;
	made.textContent = text;
	return made;
}

export class List {
	// `onChange(name)` when that session has changed or gone; undefined: all may have.
	constructor(list, none, { onChange, tell }) {
		Object.assign(this, { list, none, onChange });
		this.sessions = new Map();
		this.items = new Map();
		this.socket = connect('/list');
		this.socket.onmessage = ({ data }) => this.hear(JSON.parse(data));
		this.socket.onclose = ({ code }) => tell(code === 1001 ?
			'The server has ended.' : 'No connection: open the address that the server printed.');
		this.clock = setInterval(() => this.items.forEach((_, name) => this.show(name)), 10000);
	}

	hear({ sessions, session, removed }) {
		sessions?.forEach(each => this.set(each));
		if (session)
			this.set(session);
		if (removed)
			this.drop(removed);
		this.none.hidden = this.sessions.size > 0;
		this.onChange(session?.name ?? removed);
	}

	set(session) {
		this.sessions.set(session.name, session);
		if (!this.items.has(session.name))
			this.add(session.name);
		this.show(session.name);
	}

	drop(name) {
		this.sessions.delete(name);
		this.items.get(name)?.remove();
		this.items.delete(name);
	}

	add(name) {
		const item = document.createElement('li');
		const link = document.createElement('a');
		link.href = `#/${name}`;
		link.append(element('span', 'dot', '●'), element('span', 'title', name),
			    element('span', 'age', ''), element('span', 'command', ''));
		link.firstChild.ariaHidden = 'true';
		item.append(link);
		this.items.set(name, item);
		const before = [...this.items.keys()].sort();
		this.list.insertBefore(item, this.items.get(before[before.indexOf(name) + 1]) ?? null);
	}

	show(name) {
		const session = this.sessions.get(name);
		const link = this.items.get(name).firstChild;
		const failed = session.state === 'exited' && session.exit !== '0';
		link.className = failed ? 'failed' : session.state;
		link.querySelector('.command').textContent = session.command;
		link.querySelector('.age').textContent = session.state === 'running' ?
			since(session.started) : `${stateOf(session)} · ${since(session.ended ?? session.created)}`;
	}

	select(name) {
		for (const [each, item] of this.items)
			if (each === name)
				item.firstChild.setAttribute('aria-current', 'page');
			else
				item.firstChild.removeAttribute('aria-current');
	}

	focus() {
		(this.list.querySelector('[aria-current]') ?? this.list.querySelector('a') ??
		 document.querySelector('#command')).focus();
	}
}
