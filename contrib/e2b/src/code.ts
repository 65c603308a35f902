// SPDX-License-Identifier: MIT
// The code interpreter: contexts, each a process of its own that keeps its names, and what is run in
// them. Of languages there is Python; a request for another is refused.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants } from 'node:os';
import type { Channel } from './agent.js';
import { Failure, notServed } from './failure.js';
import { drained, give, jsonOf, stringsOf } from './http.js';
import type { Sandbox } from './sandbox.js';

const LINE_MAX = 64 << 20;

class Context {
	readonly id: string = randomUUID();
	private channel: Channel;
	private rest = '';
	private decoder = new TextDecoder();
	private line: (line: string) => Promise<void> = async () => {};
	/** One piece of code runs at a time. */
	private turn: Promise<void> = Promise.resolve();

	constructor(
		private readonly sandbox: Sandbox,
		private readonly kernel: string,
		readonly cwd: string,
	) {
		this.channel = this.launch();
	}

	private launch(): Channel {
		const channel = this.sandbox.ask({
			op: 'start',
			cmd: '/usr/bin/python3',
			args: ['-u', '-c', this.kernel],
			envs: this.sandbox.wish.envs,
			cwd: this.cwd,
			stdin: true,
		});
		this.rest = '';
		channel.onData = async ({ data }) => {
			const lines = (this.rest + this.decoder.decode(data, { stream: true })).split('\n');
			this.rest = lines.pop() as string;
			if (this.rest.length > LINE_MAX) await channel.tell({ signal: constants.signals.SIGKILL });
			for (const line of lines) await this.line(line);
		};
		return channel;
	}

	/** Fails where the directory is not there, say. */
	ready(): Promise<unknown> {
		return this.channel.first;
	}

	describe(): Record<string, unknown> {
		return { id: this.id, language: 'python', cwd: this.cwd };
	}

	async close(): Promise<void> {
		await this.channel.tell({ signal: constants.signals.SIGKILL });
		await this.channel.closed.catch(() => {});
	}

	async restart(): Promise<void> {
		await this.close();
		this.channel = this.launch();
		await this.ready();
	}

	/** Each event goes to `tell`, a line of JSON; a client that goes away interrupts it. */
	run(question: object, response: ServerResponse): Promise<void> {
		const mine = this.turn.then(() => this.execute(question, response));
		this.turn = mine.catch(() => {});
		return mine;
	}

	private async execute(question: object, response: ServerResponse): Promise<void> {
		const { channel } = this;
		if (response.destroyed) return;
		let ended!: () => void;
		const over = new Promise<void>((resolve) => (ended = resolve));
		this.line = async (line) => {
			if (line === '{"type": "end"}') ended();
			else await drained(response, `${line}\n`);
		};
		const gone = () => void channel.tell({ signal: constants.signals.SIGINT });
		response.once('close', gone);
		await channel.write(Buffer.from(`${JSON.stringify(question)}\n`));
		const lost = await Promise.race([
			over.then(() => undefined),
			channel.closed.then(
				() => 'the interpreter has ended',
				(error) => (error as Error).message,
			),
		]);
		response.off('close', gone);
		if (lost !== undefined) {
			const error = { type: 'error', name: 'ExecutionError', value: lost, traceback: lost };
			await drained(response, `${JSON.stringify(error)}\n`);
			if (this.channel === channel) this.channel = this.launch();
		}
		response.end();
	}
}

export class Interpreter {
	private readonly contexts = new Map<string, Context>();
	private usual: Promise<Context> | undefined;

	constructor(
		private readonly sandbox: Sandbox,
		private readonly kernel: string,
	) {}

	private need(language: unknown): void {
		if (language !== undefined && language !== null && language !== 'python')
			throw notServed(`the language '${String(language)}'`);
	}

	private async make(cwd: string): Promise<Context> {
		const context = new Context(this.sandbox, this.kernel, cwd);
		await context.ready();
		this.contexts.set(context.id, context);
		return context;
	}

	private find(id: string): Context {
		const context = this.contexts.get(id);
		if (!context) throw new Failure('not_found', `Context ${id} not found`);
		return context;
	}

	private async execute(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const body = await jsonOf(request);
		if (typeof body['code'] !== 'string') throw new Failure('invalid_argument', 'no code');
		this.need(body['language']);
		const id = body['context_id'];
		const context =
			typeof id === 'string'
				? this.find(id)
				: await (this.usual ??= this.make(this.sandbox.home).catch((error) => {
						this.usual = undefined;
						throw error;
					}));
		const envs = stringsOf(body['env_vars'], 'env_vars');
		response.writeHead(200, { 'content-type': 'application/x-ndjson' });
		await context.run({ code: body['code'], envs }, response);
	}

	async serve(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
		const [, id, verb] = /^\/contexts(?:\/([^/]+)(?:\/(restart))?)?$/.exec(path) ?? [];
		const what = `${request.method} ${path === '/execute' ? path : '/contexts'}`;
		if (what === 'POST /execute') {
			await this.execute(request, response);
		} else if (what === 'POST /contexts' && !id) {
			const body = await jsonOf(request);
			this.need(body['language']);
			const cwd = typeof body['cwd'] === 'string' ? body['cwd'] : this.sandbox.home;
			give(response, 200, (await this.make(cwd)).describe());
		} else if (what === 'GET /contexts' && !id) {
			give(response, 200, [...this.contexts.values()].map((one) => one.describe()));
		} else if (what === 'POST /contexts' && id && verb) {
			await this.find(id).restart();
			give(response, 204);
		} else if (what === 'DELETE /contexts' && id && !verb) {
			const context = this.find(id);
			this.contexts.delete(id);
			if ((await this.usual?.catch(() => undefined)) === context) this.usual = undefined;
			await context.close();
			give(response, 204);
		} else {
			throw notServed(`${request.method} ${path}`);
		}
	}
}
