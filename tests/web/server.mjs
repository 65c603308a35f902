// SPDX-License-Identifier: MIT
// The web terminal under test: a process of it, and plain requests to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { within } from './browser.mjs';

const SECONDS = 20 * (process.env.MIMOBOX_TEST_FACTOR ?? 1);
const WEB = process.env.WEB;
export const MOUNT = process.env.M;

export const { WebSocket } = await import(`${WEB}/node_modules/ws/wrapper.mjs`);

// With its own deadline: what is waited for sends no event of its own.
export async function until(condition, what) {
	const end = Date.now() + SECONDS * 1000;
	while (!condition()) {
		if (Date.now() > end)
			throw new Error(`never: ${what ?? condition}`);
		await new Promise(resolve => setTimeout(resolve, 10));
	}
}

export const read = path => readFileSync(`${MOUNT}/${path}`, 'utf8');
export const put = (path, text) => writeFileSync(`${MOUNT}/${path}`, text);

export function make(name, config = '') {
	mkdirSync(`${MOUNT}/${name}`);
	put(`${name}/config`, config);
}

export function start(name, config) {
	make(name, config);
	put(`${name}/ctl`, 'start\n');
}

export class Web {
	static async start() {
		const web = new Web();
		web.child = spawn(process.execPath, [`${WEB}/main.js`, MOUNT],
			{ stdio: ['ignore', 'pipe', 'inherit'] });
		const [line] = await within(SECONDS * 1000, 'the address', once(web.child.stdout, 'data'));
		web.url = String(line).trim();
		const url = new URL(web.url);
		web.port = Number(url.port);
		web.host = url.host;
		web.origin = url.origin;
		web.pass = url.searchParams.get('pass');
		web.key = url.hash.slice('#key='.length);
		return web;
	}

	// Its status, once nothing of it is left.
	async end(signal = 'SIGTERM') {
		const children = this.children();
		this.child.kill(signal);
		const [status] = await within(SECONDS * 1000, 'the end', once(this.child, 'exit'));
		const alive = pid => readdirSync('/proc').includes(pid);
		await until(() => !children.some(alive), 'the end of its children');
		return status;
	}

	children() {
		const { pid } = this.child;
		return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
	}

	// The most memory that it has had, in bytes.
	peak() {
		return 1024 * /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))[1];
	}

	descriptors() {
		return readdirSync(`/proc/${this.child.pid}/fd`).length;
	}

	// As it is written: no path is made tidy on the way. What a user has, unless headers say else.
	ask(method, path, { body, ...headers } = {}) {
		const all = { Host: this.host, Origin: this.origin, Authorization: `Bearer ${this.key}`,
			...headers };
		for (const name of Object.keys(all))
			if (all[name] === null)
				delete all[name];
		return within(SECONDS * 1000, path, new Promise((resolve, reject) => {
			const asked = request({ host: '127.0.0.1', port: this.port, method, path,
				headers: all, setHost: false });
			asked.once('error', reject);
			asked.once('response', async response => {
				let text = '';
				for await (const chunk of response)
					text += chunk;
				resolve({ status: response.statusCode, headers: response.headers, text });
			});
			asked.end(body);
		}));
	}

	// An open socket, or the status that it was refused with. `hear` gets each message: the first
	// may come with the server's answer, before the caller goes on.
	async socket(path, { protocols = ['mimobox', `key.${this.key}`], host, origin, hear } = {}) {
		const socket = new WebSocket(`ws://${this.host}${path}`, protocols,
			{ origin: origin ?? this.origin, headers: host ? { Host: host } : {} });
		const refused = once(socket, 'unexpected-response').then(([, response]) => {
			response.resume();
			return response.statusCode;
		});
		socket.on('error', () => {});
		if (hear)
			socket.on('message', hear);
		return within(SECONDS * 1000, path, Promise.race([once(socket, 'open').then(() => socket),
			refused.catch(() => {})]));
	}
}

// A viewer without a page: what it was sent, acknowledged unless `sleeps`.
export class Watcher {
	static async open(web, name, sleeps = false) {
		const watcher = new Watcher();
		Object.assign(watcher, { all: '', text: '', bytes: 0, told: {}, sizes: 0, sleeps });
		const hear = (data, binary) => watcher.hear(data, binary);
		watcher.socket = await web.socket(`/view/${name}`, { hear });
		watcher.acknowledge();
		return watcher;
	}

	hear(data, binary) {
		if (!binary) {
			const message = JSON.parse(data);
			Object.assign(this.told, message);
			this.sizes += message.size !== undefined;
			return;
		}
		this.all = (this.all + data).slice(0, 1000);
		this.text = (this.text + data).slice(-100000);
		this.bytes += data.length;
		this.acknowledge();
	}

	acknowledge() {
		if (!this.sleeps)
			this.socket?.send(JSON.stringify({ ack: this.bytes }));
	}

	async close() {
		const closed = once(this.socket, 'close');
		this.socket.close();
		await within(SECONDS * 1000, 'the close', closed);
	}
}
