// SPDX-License-Identifier: MIT
// The sessions there are, kept up to date by `events`, for any number of listeners.
//
// Messages: { sessions: [...] } at first, then { session } for one that is new or has changed, and
// { removed: name }.
import { follow } from './follow.js';

const BEHIND = 1024 * 1024;

export class List {
	constructor(mount) {
		this.mount = mount;
		this.sessions = new Map();
		this.listeners = new Set();
	}

	// Listens before it looks, so that nothing falls in between. `onEnd`: the mount is gone.
	async start(onEnd) {
		this.stream = await follow(await this.mount.openEvents());
		for (const name of await this.mount.names())
			await this.update(name);
		this.read().then(onEnd, onEnd);
	}

	async read() {
		let rest = '';
		for await (const chunk of this.stream.chunks) {
			const lines = (rest + chunk).split('\n');
			rest = lines.pop();
			for (const name of new Set(lines.map(line => line.split(' ')[1])))
				await this.update(name);
		}
	}

	async update(name) {
		const session = await this.mount.describe(name);
		if (session) {
			this.sessions.set(name, session);
			this.tell({ session });
		} else if (this.sessions.delete(name)) {
			this.tell({ removed: name });
		}
	}

	// One that takes nothing any more is let go, and told so by its page.
	tell(message) {
		const text = JSON.stringify(message);
		for (const socket of this.listeners)
			if (socket.bufferedAmount > BEHIND)
				socket.terminate();
			else
				socket.send(text);
	}

	listen(socket) {
		this.listeners.add(socket);
		const leave = () => this.listeners.delete(socket);
		socket.on('close', leave);
		socket.on('error', leave);
		socket.send(JSON.stringify({ sessions: [...this.sessions.values()] }));
	}

	stop() {
		this.stream?.destroy();
	}
}
