// SPDX-License-Identifier: MIT
// HTTP and WebSockets. Nothing is looked at before the request has shown that it may ask.
//
//   GET    /?pass=PASS                   the way in: sets the cookie
//   GET    /, /page.js ...               the page's files, by the cookie
//   POST   /sessions                     { name, command, memory, cpu, network, timeout }, all
//                                       optional: makes a session
//   POST   /sessions/NAME/ctl            { verb }: start, kill
//   DELETE /sessions/NAME                ends and removes it
//   GET    /sessions/NAME/cast           its recording
//   GET    /sessions/NAME/usage          { time, cpu, cpus, memory, most }, see mount.js
//   GET    /sessions/NAME/files/PATH     what is in a directory of its workspace
//   GET    /sessions/NAME/file/PATH      a file there
//   socket /list, /view/NAME, /put/NAME  see list.js, viewer.js and upload.js
//
// All below /sessions, and the sockets, by the key.
import { createReadStream, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { Refused } from './mount.js';
import { Places } from './places.js';
import { Upload } from './upload.js';
import { explain, list as listFiles, namesOf, openFile } from './workspace.js';

const BODY_MAX = 16 * 1024;
const MESSAGE_MAX = 64 * 1024;
const REQUEST_MS = 10000;
const VERBS = ['start', 'kill'];

const local = path => readFileSync(fileURLToPath(new URL(path, import.meta.url)));
const JAVASCRIPT = 'text/javascript; charset=utf-8', CSS = 'text/css; charset=utf-8';

// What there is, by its whole path: no other path leads to a file.
const FILES = {
	'/': ['text/html; charset=utf-8', local('page/index.html')],
	'/page.js': [JAVASCRIPT, local('page/page.js')],
	'/list.js': [JAVASCRIPT, local('page/list.js')],
	'/files.js': [JAVASCRIPT, local('page/files.js')],
	'/usage.js': [JAVASCRIPT, local('page/usage.js')],
	'/api.js': [JAVASCRIPT, local('page/api.js')],
	'/live.js': [JAVASCRIPT, local('page/live.js')],
	'/player.js': [JAVASCRIPT, local('page/player.js')],
	'/terminal.js': [JAVASCRIPT, local('page/terminal.js')],
	'/style.css': [CSS, local('page/style.css')],
	'/icon.svg': ['image/svg+xml', local('page/icon.svg')],
	'/xterm.js': [JAVASCRIPT, local('node_modules/@xterm/xterm/lib/xterm.mjs')],
	'/xterm.css': [CSS, local('node_modules/@xterm/xterm/css/xterm.css')],
	'/fit.js': [JAVASCRIPT, local('node_modules/@xterm/addon-fit/lib/addon-fit.mjs')],
};

// xterm.js writes rules of its own into <style> elements; the page gives these the nonce.
const policy = nonce => [
	"default-src 'none'", "script-src 'self'", `style-src 'self' 'nonce-${nonce}'`,
	"img-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
	"frame-ancestors 'none'", "require-trusted-types-for 'script'",
].join('; ');

const HEADERS = {
	'X-Content-Type-Options': 'nosniff',
	'X-Frame-Options': 'DENY',
	'Referrer-Policy': 'no-referrer',
	'Cross-Origin-Opener-Policy': 'same-origin',
	'Cross-Origin-Resource-Policy': 'same-origin',
	'Cache-Control': 'no-store',
	'Content-Security-Policy': policy('none'),
};

async function bodyOf(request) {
	let text = '';
	request.setEncoding('utf8');
	for await (const chunk of request) {
		text += chunk;
		if (text.length > BODY_MAX)
			throw new Refused(413, 'too large');
	}
	let body;
	try {
		body = JSON.parse(text);
	} catch {
		throw new Refused(400, 'not JSON');
	}
	// All that a body may have is text.
	if (body === null || typeof body !== 'object' ||
	    !Object.values(body).every(value => typeof value === 'string'))
		throw new Refused(400, 'not an object of strings');
	return body;
}

// As it was asked for: nothing is made tidy, so nothing leads anywhere else. `below` is as it came.
function pathOf(request) {
	const [path, query] = request.url.split('?', 2);
	try {
		const all = path.slice(1).split('/');
		return { path, query, parts: all.slice(0, 3).map(decodeURIComponent), below: all.slice(3) };
	} catch {
		throw new Refused(400, 'not a path');
	}
}

export class Server {
	constructor(mount, list, viewers) {
		Object.assign(this, { mount, list, viewers });
		this.http = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: REQUEST_MS,
			headersTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 });
		this.places = new Places();
		this.http.on('connection', socket => this.places.enter(socket));
		this.sockets = new WebSocketServer({
			noServer: true, maxPayload: MESSAGE_MAX, perMessageDeflate: false,
			handleProtocols: () => 'mimobox',
		});
		this.http.on('request', (request, response) => this.answer(request, response));
		this.http.on('upgrade', (...all) => this.upgrade(...all));
	}

	// On one address, the loopback's, and no other.
	listen(port) {
		return new Promise((resolve, reject) => {
			this.http.once('error', reject);
			this.http.listen({ host: '127.0.0.1', port },
				() => resolve(this.http.address().port));
		});
	}

	stop() {
		for (const socket of this.sockets.clients)
			socket.close(1001, 'the server ends');
		this.http.close();
		this.http.closeAllConnections();
		setTimeout(() => this.sockets.clients.forEach(each => each.terminate()), 500).unref();
	}

	// Requests

	async answer(request, response) {
		for (const [name, value] of Object.entries(HEADERS))
			response.setHeader(name, value);
		try {
			await this.route(request, response);
		} catch (error) {
			const status = error instanceof Refused ? error.status : 500;
			if (status === 500)
				console.error(`mimobox-web: ${request.method}: ${error.message}`);
			if (response.headersSent)
				response.destroy();
			else
				this.reply(response, status, { error: error.message });
		}
	}

	reply(response, status, message) {
		response.writeHead(status, { 'Content-Type': 'application/json',
			...(status >= 400 && { Connection: 'close' }) });
		response.end(JSON.stringify(message));
	}

	async route(request, response) {
		const { guard } = this;
		if (!guard.hostIsOurs(request))
			throw new Refused(403, 'not a name of this server');
		if (request.headers.origin && !guard.originIsOurs(request))
			throw new Refused(403, 'not from another page');
		const known = guard.mayHaveSessions(request);
		if ((known || guard.mayHavePage(request)) && !this.places.know(request.socket))
			throw new Refused(503, 'too many connections');
		if (known) {
			await this.sessions(request, response);
		} else if (guard.mayHavePage(request)) {
			this.page(request, response);
		} else {
			this.enter(request, response);
		}
	}

	enter(request, response) {
		const { path, query } = pathOf(request);
		if (request.method !== 'GET' || path !== '/' ||
		    !this.guard.isPass(new URLSearchParams(query).get('pass')))
			throw new Refused(401, 'Open the address that the server printed.');
		response.writeHead(303, { Location: '/', 'Set-Cookie': this.guard.cookie() });
		response.end();
	}

	page(request, response) {
		const { path, query } = pathOf(request);
		if (query !== undefined) {
			this.enter(request, response);
			return;
		}
		if (path.startsWith('/sessions'))
			throw new Refused(401, 'The page has not got its key.');
		if (!Object.hasOwn(FILES, path))
			throw new Refused(404, 'no such page');
		if (request.method !== 'GET')
			throw new Refused(405, 'only GET');
		const [type, bytes] = FILES[path];
		const nonce = randomBytes(16).toString('base64');
		response.writeHead(200, { 'Content-Type': type,
			'Content-Security-Policy': policy(nonce) });
		response.end(path === '/' ? bytes.toString().replace('NONCE', nonce) : bytes);
	}

	async sessions(request, response) {
		const { parts: [first, name, what], below } = pathOf(request);
		const asked = `${request.method} ${what ?? ''}`.trim();
		const file = asked === 'GET file' || asked === 'GET files';
		if (first !== 'sessions' || (below.length && !file))
			throw new Refused(404, 'no such thing');
		if (request.method !== 'GET' && !this.guard.originIsOurs(request))
			throw new Refused(403, 'from where?');
		if (name === undefined && asked === 'POST')
			await this.create(await bodyOf(request), response);
		else if (name !== undefined && asked === 'POST ctl')
			await this.control(name, await bodyOf(request), response);
		else if (name !== undefined && asked === 'DELETE')
			this.reply(response, 200, await this.mount.remove(name) ?? {});
		else if (name !== undefined && asked === 'GET cast')
			await this.cast(name, response);
		else if (name !== undefined && asked === 'GET usage')
			this.reply(response, 200, await this.mount.usage(name));
		else if (name !== undefined && file)
			await this[what](name, below, response).catch(error => { throw explain(error); });
		else
			throw new Refused(404, 'no such thing');
	}

	async create({ name, command = '', ...settings }, response) {
		name ||= `web-${randomBytes(4).toString('hex')}`;
		await this.mount.create(name, command, settings);
		this.reply(response, 201, { name });
	}

	async control(name, { verb }, response) {
		if (!VERBS.includes(verb))
			throw new Refused(400, `one of ${VERBS.join(', ')}`);
		await this.mount.write(name, 'ctl', `${verb}\n`);
		this.reply(response, 200, {});
	}

	// `cast` ends at what there is now, so that no read of it waits.
	async cast(name, response) {
		const path = this.mount.file(name, 'cast');
		const file = createReadStream(path, { highWaterMark: 256 * 1024 });
		file.once('open', () => {
			response.writeHead(200, { 'Content-Type': 'application/x-asciicast' });
			file.pipe(response);
		});
		file.once('error', () => response.headersSent ? response.destroy() :
			this.reply(response, 404, { error: 'no such session' }));
		response.once('close', () => file.destroy());
	}

	// PATH ends with a slash, or is nothing.
	async files(name, below, response) {
		const names = namesOf(below.at(-1) === '' ? below.slice(0, -1) : below);
		this.reply(response, 200, await listFiles(this.mount, name, names));
	}

	// As what it is for a browser: bytes to keep.
	async file(name, below, response) {
		const file = await openFile(this.mount, name, namesOf(below));
		response.writeHead(200, { 'Content-Type': 'application/octet-stream',
			'Content-Disposition': 'attachment' });
		const stream = file.createReadStream({ highWaterMark: 256 * 1024 });
		stream.once('error', () => response.destroy());
		response.once('close', () => stream.destroy());
		stream.pipe(response);
	}

	// Sockets

	// No time is limited from here on: one that is refused is not waited for to close its end.
	upgrade(request, socket, head) {
		const status = this.refusal(request);
		socket.on('error', () => socket.destroy());
		if (status) {
			socket.once('finish', () => socket.destroy());
			socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n` +
				   'Content-Length: 0\r\n\r\n');
			return;
		}
		const [kind, name] = pathOf(request).parts;
		this.sockets.handleUpgrade(request, socket, head, client => {
			if (kind === 'list')
				this.list.listen(client);
			else if (kind === 'put')
				new Upload(this.mount, name, client);
			else
				this.viewers.add(name, client);
		});
	}

	refusal(request) {
		const { guard } = this;
		if (!guard.hostIsOurs(request) || !guard.originIsOurs(request))
			return 403;
		if (!guard.mayHaveSocket(request))
			return 401;
		try {
			const [kind, name, ...rest] = pathOf(request).parts;
			if (rest.length || !['list', 'view', 'put'].includes(kind) ||
			    (kind === 'list' && name !== undefined))
				return 404;
			if (kind !== 'list')
				this.mount.file(name);
			return this.viewers.full || !this.places.know(request.socket) ? 503 : 0;
		} catch (error) {
			return error.status ?? 400;
		}
	}
}
