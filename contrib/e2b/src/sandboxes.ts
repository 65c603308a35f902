// SPDX-License-Identifier: MIT
// All sandboxes of this server, and the part of the API that is about them.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { readdir, statfs } from 'node:fs/promises';
import { Failure, notServed } from './failure.js';
import { give, jsonOf, stringsOf } from './http.js';
import { Interpreter } from './code.js';
import { Session } from './mount.js';
import { Sandbox, type Wish } from './sandbox.js';
import {
	DEFAULT_TIMEOUT_S,
	ENVD_VERSION,
	MAX_TIMEOUT_S,
	type Settings,
	TEMPLATES,
} from './settings.js';

type Message = Record<string, unknown>;

const UNITS: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const PAGE = 100;

function bytes(text: string | undefined): number {
	const [, digits, unit = ''] = /^([\d.]+)([KMGT]?)$/.exec(text ?? '') ?? [];
	return digits ? Number(digits) * (UNITS[unit] ?? 1) : 0;
}

function timeoutOf(value: unknown, otherwise: number): number {
	if (value === undefined || value === null) return otherwise;
	if (typeof value !== 'number' || !(value >= 0 && value <= MAX_TIMEOUT_S))
		throw new Failure('invalid_argument', `Timeout must be 0 to ${MAX_TIMEOUT_S} seconds`);
	return value;
}

/** What a session cannot do, or what only the operator gives it. */
function refuseWishes(body: Message): void {
	for (const [field, what] of [
		['network', 'a network of its own rules'],
		['iam', 'identity tokens'],
		['mcp', 'the MCP gateway'],
		['volumeMounts', 'volumes'],
		['autoPauseMemory', 'a pause that keeps the memory on disk'],
	] as const)
		if (body[field] !== undefined && body[field] !== null) throw notServed(what);
	if (body['autoPause'] === true) throw notServed('a pause at the timeout');
}

export class Sandboxes {
	private readonly all = new Map<string, Sandbox>();
	private readonly interpreters = new Map<string, Interpreter>();
	/** Those that are being made count, too. */
	private making = 0;

	constructor(private readonly settings: Settings) {}

	get(id: string): Sandbox | undefined {
		return this.all.get(id);
	}

	values(): Iterable<Sandbox> {
		return this.all.values();
	}

	interpreter(sandbox: Sandbox): Interpreter {
		let found = this.interpreters.get(sandbox.id);
		if (!found) {
			found = new Interpreter(sandbox, this.settings.kernelText);
			this.interpreters.set(sandbox.id, found);
		}
		return found;
	}

	private find(id: string): Sandbox {
		const sandbox = this.all.get(id);
		if (!sandbox) throw new Failure('not_found', `Sandbox ${id} not found`);
		return sandbox;
	}

	/** What a server has left that was killed: its sandboxes have ended, their names are there. */
	async clear(): Promise<void> {
		for (const name of await readdir(this.settings.mount)) {
			if (!/^e2b-[0-9a-f]{20}$/.test(name)) continue;
			const session = new Session(this.settings.mount, name);
			const state = await session.facts('status').catch(() => ({}) as Record<string, string>);
			if (state['state'] === 'exited') await session.remove().catch(() => {});
		}
	}

	async endAll(): Promise<void> {
		await Promise.all([...this.all.values()].map((one) => one.end()));
	}

	private async create(body: Message): Promise<Sandbox> {
		const template = typeof body['templateID'] === 'string' ? body['templateID'] : 'base';
		if (!TEMPLATES.includes(template))
			throw new Failure('not_found', `template '${template}' not found`);
		refuseWishes(body);
		if (body['allow_internet_access'] === true && !this.hasNetwork())
			throw new Failure(
				'invalid_argument',
				'no internet access is given here: start mimobox-e2b with --config',
			);
		const wish: Wish = {
			template,
			metadata: stringsOf(body['metadata'], 'metadata'),
			envs: stringsOf(body['envVars'], 'envVars'),
			timeoutS: timeoutOf(body['timeout'], DEFAULT_TIMEOUT_S),
		};
		if (this.all.size + this.making >= this.settings.sandboxes)
			throw new Failure('resource_exhausted', 'there are as many sandboxes as there may be');
		const sandbox = new Sandbox(this.settings, wish);
		sandbox.onEnd = () => {
			this.all.delete(sandbox.id);
			this.interpreters.delete(sandbox.id);
		};
		this.making++;
		try {
			await sandbox.start();
			this.all.set(sandbox.id, sandbox);
		} finally {
			this.making--;
		}
		return sandbox;
	}

	private hasNetwork(): boolean {
		return this.settings.config.some((line) => /^network (?!none)/.test(line));
	}

	/** What a client needs to use it. */
	private introduce(sandbox: Sandbox): Message {
		return {
			sandboxID: sandbox.id,
			templateID: sandbox.wish.template,
			clientID: 'mimobox',
			envdVersion: ENVD_VERSION,
			envdAccessToken: sandbox.token,
			trafficAccessToken: sandbox.token,
			domain: `localhost:${this.settings.port}`,
		};
	}

	private async describe(sandbox: Sandbox): Promise<Message> {
		const config = await sandbox.session.facts('config');
		const disk = await statfs(sandbox.session.path);
		return {
			sandboxID: sandbox.id,
			templateID: sandbox.wish.template,
			alias: sandbox.wish.template,
			clientID: 'mimobox',
			startedAt: sandbox.startedAt.toISOString(),
			endAt: sandbox.endAt.toISOString(),
			state: sandbox.paused ? 'paused' : 'running',
			cpuCount: Number(config['cpu']) || 1,
			memoryMB: Math.round(bytes(config['memory']) / 2 ** 20),
			diskSizeMB: Math.round((disk.bsize * disk.blocks) / 2 ** 20),
			envdVersion: ENVD_VERSION,
			metadata: sandbox.wish.metadata,
		};
	}

	private async metrics(sandbox: Sandbox): Promise<Message[]> {
		const [config, status] = [
			await sandbox.session.facts('config'),
			await sandbox.session.facts('status'),
		];
		const disk = await statfs(sandbox.session.path);
		const seconds = (Date.now() - sandbox.startedAt.getTime()) / 1000;
		const now = new Date();
		return [
			{
				timestamp: now.toISOString(),
				timestampUnix: Math.floor(now.getTime() / 1000),
				cpuCount: Number(config['cpu']) || 1,
				cpuUsedPct: (100 * (Number(status['cpu']) || 0)) / Math.max(seconds, 1e-3),
				memUsed: Number(status['memory']) || 0,
				memTotal: bytes(config['memory']),
				memCache: 0,
				diskUsed: disk.bsize * (disk.blocks - disk.bfree),
				diskTotal: disk.bsize * disk.blocks,
			},
		];
	}

	private listed(query: URLSearchParams): Sandbox[] {
		const states = query.get('state')?.split(',');
		const wanted = new URLSearchParams(query.get('metadata') ?? '');
		const after = query.get('startedAfter');
		const template = query.get('template');
		const found = [...this.all.values()].filter(
			(one) =>
				(!states || states.includes(one.paused ? 'paused' : 'running')) &&
				(!after || one.startedAt > new Date(after)) &&
				(!template || one.wish.template === template) &&
				[...wanted].every(
					([key, value]) =>
						one.wish.metadata[decodeURIComponent(key)] === decodeURIComponent(value),
				),
		);
		// The newest first, where nothing else is said.
		return query.get('order') === 'asc' ? found : found.reverse();
	}

	private async list(query: URLSearchParams, response: ServerResponse): Promise<void> {
		const found = this.listed(query);
		const limit = Math.min(Math.max(Number(query.get('limit')) || PAGE, 1), PAGE);
		const from = found.findIndex((one) => one.id === query.get('nextToken')) + 1;
		const page = found.slice(from, from + limit);
		if (from + limit < found.length)
			response.setHeader('x-next-token', page[page.length - 1]?.id ?? '');
		give(response, 200, await Promise.all(page.map((one) => this.describe(one))));
	}

	private async act(
		sandbox: Sandbox,
		what: string,
		request: IncomingMessage,
		response: ServerResponse,
	): Promise<void> {
		if (what === 'GET ') {
			give(response, 200, {
				...(await this.describe(sandbox)),
				envdAccessToken: sandbox.token,
				domain: `localhost:${this.settings.port}`,
			});
		} else if (what === 'DELETE ') {
			await sandbox.end();
			give(response, 204);
		} else if (what === 'GET metrics') {
			give(response, 200, await this.metrics(sandbox));
		} else if (what === 'POST timeout') {
			sandbox.setTimeout(timeoutOf((await jsonOf(request))['timeout'], DEFAULT_TIMEOUT_S));
			give(response, 204);
		} else if (what === 'POST connect' || what === 'POST resume') {
			const timeout = (await jsonOf(request))['timeout'];
			const wasPaused = sandbox.paused;
			await sandbox.resume();
			const until = timeoutOf(timeout, wasPaused || what === 'POST resume' ? DEFAULT_TIMEOUT_S : 0);
			// Of one that runs, it is only made longer.
			if (until * 1000 > sandbox.endAt.getTime() - Date.now()) sandbox.setTimeout(until);
			give(response, wasPaused ? 201 : 200, this.introduce(sandbox));
		} else if (what === 'POST pause') {
			if ((await jsonOf(request))['memory'] === false)
				throw notServed('a pause without the memory');
			await sandbox.pause();
			give(response, 204);
		} else {
			throw notServed(what);
		}
	}

	async serve(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
		const path = url.pathname.replace(/^\/v2\//, '/');
		const [, id, verb = ''] = /^\/sandboxes(?:\/([^/]+)(?:\/([^/]+))?)?$/.exec(path) ?? [];
		if (!path.startsWith('/sandboxes')) throw notServed(`${request.method} ${url.pathname}`);
		if (id) await this.act(this.find(id), `${request.method} ${verb}`, request, response);
		else if (request.method === 'POST')
			give(response, 201, this.introduce(await this.create(await jsonOf(request))));
		else if (request.method === 'GET') await this.list(url.searchParams, response);
		else throw notServed(`${request.method} ${url.pathname}`);
	}
}
