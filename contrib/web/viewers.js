// SPDX-License-Identifier: MIT
// All viewers, by session.
import { Viewer } from './viewer.js';

const VIEWERS_MAX = 100; // each has a process

export class Viewers {
	constructor(mount) {
		this.mount = mount;
		this.bySession = new Map();
		this.count = 0;
	}

	get full() {
		return this.count >= VIEWERS_MAX;
	}

	add(name, socket) {
		const viewer = new Viewer(this.mount, name, socket);
		const others = this.bySession.get(name) ?? new Set();
		this.bySession.set(name, others.add(viewer));
		this.count++;
		viewer.onResize = () => Promise.all([...others].map(each => each.resized()));
		socket.once('close', () => this.remove(name, viewer));
		viewer.run().catch(error => {
			viewer.trouble(error);
			socket.close(1011);
		});
	}

	remove(name, viewer) {
		const others = this.bySession.get(name);
		others.delete(viewer);
		this.count--;
		if (!others.size)
			this.bySession.delete(name);
		const [next] = others;
		next?.mayLead();
	}

	stop() {
		for (const viewers of this.bySession.values())
			viewers.forEach(viewer => viewer.close());
	}
}
