// SPDX-License-Identifier: MIT
// Whose requests are answered, and by what. The API and all sandboxes are at one address: a request
// to a sandbox names it in a header, as the SDK does where E2B_SANDBOX_URL is set.

import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { refuseRpc } from './connect.js';
import { Failure, noSandbox, notServed } from './failure.js';
import { readFile, writeFiles } from './files.js';
import { serveFilesystem } from './filesystem.js';
import { give, header, refuse } from './http.js';
import { portOf, servePort, upgradePort } from './ports.js';
import { serveProcess } from './process.js';
import type { Sandbox } from './sandbox.js';
import type { Sandboxes } from './sandboxes.js';
import type { Settings } from './settings.js';

const CODE_PORT = '49999';

function same(one: string | null | undefined, other: string): boolean {
	const hash = (text: string) => createHash('sha256').update(text).digest();
	return typeof one === 'string' && timingSafeEqual(hash(one), hash(other));
}

/** A page that a browser shows must not get here by a name of its own (DNS rebinding). */
function needOwnHost(request: IncomingMessage): void {
	const host = header(request, 'host') ?? '';
	if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host) || request.headers.origin !== undefined)
		throw new Failure('permission_denied', 'this is not for pages of a browser');
}

/** As the SDK signs an address, for one who has no token. */
function isSigned(sandbox: Sandbox, query: URLSearchParams, operation: string): boolean {
	const [path, user] = [query.get('path') ?? '', query.get('username') ?? ''];
	const until = query.get('signature_expiration');
	if (until !== null && !(Number(until) * 1000 > Date.now())) return false;
	const text = [path, operation, user, sandbox.token, ...(until !== null ? [until] : [])];
	const digest = createHash('sha256').update(text.join(':')).digest('base64');
	return same(query.get('signature'), `v1_${digest.replace(/=+$/, '')}`);
}

export class Service {
	readonly server: Server;

	constructor(
		private readonly settings: Settings,
		private readonly sandboxes: Sandboxes,
	) {
		this.server = createServer((request, response) => {
			this.serve(request, response).catch((error) => refuse(response, error));
		});
		this.server.requestTimeout = 0; // uploads may take their time
		this.server.on('upgrade', (request, socket, head) => {
			const at = portOf(request.headers.host);
			const sandbox = at && this.sandboxes.get(at.id);
			if (sandbox) upgradePort(sandbox, at.port, request, socket, head);
			else socket.destroy();
		});
	}

	private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const at = portOf(request.headers.host);
		if (at) {
			const sandbox = this.sandboxes.get(at.id);
			if (!sandbox) throw noSandbox(at.id);
			await servePort(sandbox, at.port, request, response);
			return;
		}
		needOwnHost(request);
		const url = new URL(request.url ?? '/', 'http://localhost');
		const id = header(request, 'e2b-sandbox-id');
		const signed = url.pathname === '/files' && url.searchParams.has('signature');
		if (id !== undefined || signed) {
			await this.serveSandbox(this.sandboxOf(request, url, id), url, request, response);
			return;
		}
		if (url.pathname === '/health') {
			give(response, 200, {});
			return;
		}
		if (!same(header(request, 'x-api-key'), this.settings.key))
			throw new Failure('unauthenticated', 'the API key is not that of this server');
		await this.sandboxes.serve(url, request, response);
	}

	private sandboxOf(request: IncomingMessage, url: URL, id: string | undefined): Sandbox {
		const operation = request.method === 'GET' ? 'read' : 'write';
		if (id === undefined) {
			for (const one of this.sandboxes.values())
				if (isSigned(one, url.searchParams, operation)) return one;
			throw new Failure('unauthenticated', 'invalid or expired signature');
		}
		const sandbox = this.sandboxes.get(id);
		if (!sandbox) throw noSandbox(id);
		const token =
			header(request, 'x-access-token') ?? header(request, 'e2b-traffic-access-token');
		if (!same(token, sandbox.token) && !isSigned(sandbox, url.searchParams, operation))
			throw new Failure('unauthenticated', 'invalid access token');
		return sandbox;
	}

	/** One user is there; what it asks for in the name of another would not be what it gets. */
	private needUser(sandbox: Sandbox, url: URL, request: IncomingMessage): void {
		const [, basic] = /^Basic (.+)$/.exec(header(request, 'authorization') ?? '') ?? [];
		const named = basic ? Buffer.from(basic, 'base64').toString().split(':')[0] : undefined;
		const user = named ?? url.searchParams.get('username') ?? '';
		if (user && user !== 'user' && user !== sandbox.user)
			throw new Failure('invalid_argument', `user '${user}' is not served by mimobox`);
	}

	private async serveSandbox(
		sandbox: Sandbox,
		url: URL,
		request: IncomingMessage,
		response: ServerResponse,
	): Promise<void> {
		if (header(request, 'e2b-sandbox-port') === CODE_PORT) {
			await this.sandboxes.interpreter(sandbox).serve(url.pathname, request, response);
			return;
		}
		const [, service, call] = /^\/(process\.Process|filesystem\.Filesystem)\/(\w+)$/.exec(url.pathname) ?? [];
		const what = `${request.method} ${url.pathname}`;
		try {
			this.needUser(sandbox, url, request);
		} catch (error) {
			if (!service) throw error;
			refuseRpc(request, response, error);
			return;
		}
		if (service && call && request.method === 'POST')
			await (service === 'process.Process' ? serveProcess : serveFilesystem)(
				sandbox,
				call,
				request,
				response,
			);
		else if (what === 'GET /health') give(response, 204);
		else if (what === 'GET /files') await readFile(sandbox, url.searchParams, response);
		else if (what === 'POST /files')
			await writeFiles(sandbox, url.searchParams, request, response);
		else throw notServed(what);
	}
}
