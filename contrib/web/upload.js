// SPDX-License-Identifier: MIT
// Puts a file of a page into a session's workspace, by a socket: no request would have the time.
//
// Messages: { path, size } comes first, then the bytes in pieces. The answer is { written } for each
// piece, and { done: true } when the file is in its place; or { trouble }. One that is not whole
// leaves nothing.
import { explain, namesOf, NewFile } from './workspace.js';
import { Refused } from './mount.js';

export class Upload {
	constructor(mount, session, socket) {
		Object.assign(this, { mount, session, socket, file: null, left: 0, over: false });
		this.work = Promise.resolve();
		// What comes in one piece from the network may be several messages: in their order.
		socket.on('message', (data, binary) => {
			socket.pause();
			this.work = this.work.then(() => this.over || this.take(data, binary))
				.catch(error => this.fail(error)).then(() => socket.resume());
		});
		socket.on('error', () => {});
		socket.once('close', () => { this.work = this.work.then(() => this.end()); });
	}

	async take(data, binary) {
		if (!this.file !== !binary)
			throw new Refused(400, 'a path comes first, then bytes');
		if (!this.file)
			await this.begin(JSON.parse(data));
		else if (data.length > this.left)
			throw new Refused(400, 'more than was told');
		else
			await this.file.write(data);
		this.left -= binary ? data.length : 0;
		this.socket.send(JSON.stringify({ written: binary ? data.length : 0 }));
		if (this.left)
			return;
		this.over = true;
		await this.file.keep();
		this.socket.send(JSON.stringify({ done: true }));
		this.socket.close(1000);
	}

	async begin({ path, size }) {
		if (typeof path !== 'string' || !Number.isSafeInteger(size) || size < 0)
			throw new Refused(400, 'no path and size');
		this.file = await NewFile.open(this.mount, this.session, namesOf(path.split('/')));
		this.left = size;
	}

	async fail(error) {
		this.over = true;
		await this.file?.drop();
		this.socket.send(JSON.stringify({ trouble: explain(error).message }));
		this.socket.close(1008);
	}

	// It was closed before all had come.
	async end() {
		if (!this.over)
			await this.file?.drop();
		this.over = true;
	}
}
