// SPDX-License-Identifier: MIT
// The Connect protocol, in JSON: an answer by itself, or a stream of envelopes, the last of which
// says how it ended.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Failure } from './failure.js';
import { bodyOf, drained, give, header, parse } from './http.js';

const END = 2;
const COMPRESSED = 1;
/** What setTimeout(3) takes. */
const LIMIT_MAX_MS = 2 ** 31 - 1;

function envelope(flags: number, value: unknown): Buffer {
	const text = Buffer.from(JSON.stringify(value));
	const head = Buffer.alloc(5);
	head[0] = flags;
	head.writeUInt32BE(text.length, 1);
	return Buffer.concat([head, text]);
}

function needJson(request: IncomingMessage, type: string): void {
	if (header(request, 'content-type')?.split(';')[0] !== type)
		throw new Failure('unimplemented', 'only Connect in JSON is served by mimobox');
}

/** By the kind of the request: a stream says it in its end. */
export function refuseRpc(request: IncomingMessage, response: ServerResponse, error: unknown): void {
	const failure = Failure.from(error);
	const told = { code: failure.rpc, message: failure.message };
	request.resume();
	if (header(request, 'content-type')?.startsWith('application/connect+json'))
		response
			.writeHead(200, { 'content-type': 'application/connect+json' })
			.end(envelope(END, { error: told }));
	else give(response, failure.status, told);
}

export async function unary(
	request: IncomingMessage,
	response: ServerResponse,
	act: (message: Record<string, unknown>) => Promise<unknown>,
): Promise<void> {
	try {
		needJson(request, 'application/json');
		give(response, 200, await act(parse((await bodyOf(request)).toString())));
	} catch (error) {
		refuseRpc(request, response, error);
	}
}

/** One answer after the other. */
export class Stream {
	/** Called once, when nobody listens any more, or its time is over. */
	onClose: () => void = () => {};
	/** How long the client waits for the end; 0: as long as it takes. */
	readonly limitMs: number;
	private closed = false;
	private timers: NodeJS.Timeout[] = [];

	constructor(
		request: IncomingMessage,
		private readonly response: ServerResponse,
		alive: unknown,
	) {
		response.writeHead(200, { 'content-type': 'application/connect+json' });
		response.once('close', () => this.close());
		this.limitMs = Math.min(Number(header(request, 'connect-timeout-ms')) || 0, LIMIT_MAX_MS);
		const ping = Number(header(request, 'keepalive-ping-interval') ?? 0);
		if (this.limitMs > 0)
			this.timers.push(
				setTimeout(() => {
					this.finish(new Failure('deadline_exceeded', 'the deadline has passed'));
				}, this.limitMs),
			);
		if (ping > 0) this.timers.push(setInterval(() => void this.send(alive), ping * 1000));
	}

	async send(value: unknown): Promise<void> {
		if (!this.closed) await drained(this.response, envelope(0, value));
	}

	finish(failure?: Failure): void {
		if (this.closed) return;
		const error = failure && { code: failure.rpc, message: failure.message };
		this.response.end(envelope(END, error ? { error } : {}));
		this.close();
	}

	private close(): void {
		if (this.closed) return;
		this.closed = true;
		for (const timer of this.timers) clearTimeout(timer);
		this.onClose();
	}
}

export async function streaming(
	request: IncomingMessage,
	response: ServerResponse,
	alive: unknown,
	act: (message: Record<string, unknown>, stream: Stream) => Promise<void>,
): Promise<void> {
	needJson(request, 'application/connect+json');
	const body = await bodyOf(request);
	const stream = new Stream(request, response, alive);
	try {
		if (body.length < 5 || (body[0] as number) & COMPRESSED)
			throw new Failure('invalid_argument', 'no message that could be read');
		const size = body.readUInt32BE(1);
		await act(parse(body.subarray(5, 5 + size).toString()), stream);
	} catch (error) {
		stream.finish(Failure.from(error));
	}
}
