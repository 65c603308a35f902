// SPDX-License-Identifier: MIT
// The connections there are.
//
// Any program of this machine can connect, and say nothing. So those that have not shown a secret
// are few and have little time, and when one more comes the oldest of them goes: those who have the
// key always find a place.
const STRANGERS_MAX = 64;
const KNOWN_MAX = 256;
const PATIENCE_MS = 5000;

export class Places {
	constructor() {
		this.strangers = new Map(); // by age, each with its timer
		this.known = new Set();
	}

	enter(socket) {
		const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
		this.strangers.set(socket, timer);
		socket.once('close', () => {
			clearTimeout(timer);
			this.strangers.delete(socket);
			this.known.delete(socket);
		});
		if (this.strangers.size > STRANGERS_MAX)
			this.strangers.keys().next().value.destroy();
	}

	// It has shown a secret. False: there are as many of these as there may be.
	know(socket) {
		if (!this.strangers.has(socket))
			return true;
		if (this.known.size >= KNOWN_MAX)
			return false;
		clearTimeout(this.strangers.get(socket));
		this.strangers.delete(socket);
		this.known.add(socket);
		return true;
	}
}
