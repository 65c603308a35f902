// SPDX-License-Identifier: MIT
// The way to the program in a sandbox (sandbox/agent.py): frames, in channels, over the `input` and
// `output` of its session. Programs in the sandbox may say there what they like. So what comes is
// bounded, and can do no more than answer wrongly what was asked of this same sandbox.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { constants } from 'node:fs';
import { Failure } from './failure.js';

const HEAD = 9;
const FRAME_MAX = 16 << 20;
const PIECE = 65536;
const WINDOW = 1 << 20;
/** How long the program may take nothing of its input. */
const INPUT_PATIENCE_MS = 30_000;

export type Data = { kind: 'output' | 'errors'; data: Buffer };
export type Answer = Record<string, unknown>;

function pause(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What was asked of the agent, until it has its last answer. */
export class Channel {
	/** Each event that is no data, but the first. */
	onEvent: (event: Answer) => void = () => {};
	/** The first event; or it fails as the channel does. */
	readonly first: Promise<Answer>;
	/** What it resolves to is waited for before so much more may come. */
	onData: (data: Data) => Promise<void> | void = () => {};
	readonly closed: Promise<Answer>;
	private began: ((event: Answer) => void) | undefined;
	private credit = WINDOW;
	private wakes: (() => void)[] = [];
	private settle!: { resolve: (answer: Answer) => void; reject: (error: Failure) => void };
	private order: Promise<void> = Promise.resolve();
	private over = false;
	private turn: Promise<void> = Promise.resolve();

	constructor(
		private readonly agent: Agent,
		readonly number: number,
	) {
		this.closed = new Promise((resolve, reject) => {
			this.settle = { resolve, reject };
		});
		this.closed.catch(() => {});
		this.first = new Promise((resolve, reject) => {
			this.began = resolve;
			this.closed.then(resolve, reject);
		});
		this.first.catch(() => {});
	}

	/** In one piece beside other callers: it resolves when all is on its way. */
	write(data: Buffer): Promise<void> {
		this.turn = this.turn.then(async () => {
			for (let at = 0; at < data.length && !this.over; ) {
				while (this.credit <= 0 && !this.over)
					await new Promise<void>((resolve) => this.wakes.push(resolve));
				const piece = data.subarray(at, at + Math.min(PIECE, this.credit));
				this.credit -= piece.length;
				at += piece.length;
				await this.agent.send('d', this.number, piece);
			}
		});
		return this.turn;
	}

	async finish(): Promise<void> {
		await this.turn;
		await this.agent.send('f', this.number, Buffer.alloc(0));
	}

	async tell(word: Answer): Promise<void> {
		await this.agent.send('c', this.number, Buffer.from(JSON.stringify(word)));
	}

	/** What the agent says, in its order: an end comes behind the data before it. */
	heard(kind: string, data: Buffer): void {
		if (kind === 'a') {
			this.credit += data.length === 4 ? data.readUInt32BE() : 0;
			this.wake();
			return;
		}
		this.order = this.order.then(() => this.act(kind, data)).catch(() => {});
	}

	private async act(kind: string, data: Buffer): Promise<void> {
		if (kind === 'o' || kind === 'e') {
			try {
				await this.onData({ kind: kind === 'o' ? 'output' : 'errors', data });
			} finally {
				const count = Buffer.alloc(4);
				count.writeUInt32BE(data.length);
				await this.agent.send('a', this.number, count);
			}
			return;
		}
		const answer = JSON.parse(data.toString()) as Answer;
		if (kind === 'r' && this.began) {
			this.began(answer);
			this.began = undefined;
		} else if (kind === 'r') this.onEvent(answer);
		else if (kind === 'x') this.end(answer);
	}

	private wake(): void {
		for (const wake of this.wakes.splice(0)) wake();
	}

	private end(answer: Answer): void {
		const error = answer['error'] as Answer | undefined;
		this.agent.forget(this.number);
		this.over = true;
		this.wake();
		if (error) this.settle.reject(Failure.of(error['code'], error['message']));
		else this.settle.resolve(answer);
	}

	lost(): void {
		this.over = true;
		this.wake();
		this.settle.reject(new Failure('unavailable', 'the sandbox has ended'));
	}
}

export class Agent {
	private readonly channels = new Map<number, Channel>();
	private last = 0;
	private rest: Buffer = Buffer.alloc(0);
	private ended = false;
	private writing: Promise<void> = Promise.resolve();
	/** Of a sandbox that is there: what the program said first. */
	readonly hello: Promise<Answer>;
	readonly closed: Promise<void>;

	private constructor(
		private readonly reader: ChildProcess,
		private readonly input: FileHandle,
	) {
		const first = new Channel(this, 0);
		this.channels.set(0, first);
		this.hello = first.first;
		this.reader.stdout?.on('data', (piece: Buffer) => this.take(piece));
		this.closed = once(this.reader, 'close').then(() => this.end());
	}

	/**
	 * A read of `output` that waits would hold one of Node's few threads: cat(1) waits instead.
	 */
	static async open(session: string, program: Buffer): Promise<Agent> {
		const reader = spawn('/bin/cat', [`${session}/output`], {
			cwd: '/',
			stdio: ['ignore', 'pipe', 'ignore'],
		});
		await once(reader, 'spawn');
		const input = await open(`${session}/input`, constants.O_WRONLY | constants.O_NONBLOCK);
		const agent = new Agent(reader, input);
		agent.writing = agent.write(program);
		return agent;
	}

	/** What the session runs: it takes the program off its input, which `mimobox ls` need not show. */
	static command(program: Buffer): string[] {
		const taken =
			`import os; left = ${program.length}; text = b''\n` +
			"while left: part = os.read(0, left); left -= len(part) or left; text += part\n" +
			"exec(compile(text, 'mimobox-e2b', 'exec'))";
		return ['/usr/bin/python3', '-I', '-u', '-c', taken];
	}

	private take(piece: Buffer): void {
		let data = this.rest.length ? Buffer.concat([this.rest, piece]) : piece;
		while (data.length >= HEAD) {
			const size = data.readUInt32BE();
			if (size < 5 || size > FRAME_MAX) {
				this.close();
				return;
			}
			if (data.length < size + 4) break;
			const kind = String.fromCharCode(data[4] as number);
			this.channels
				.get(data.readUInt32BE(5))
				?.heard(kind, Buffer.from(data.subarray(HEAD, size + 4)));
			data = data.subarray(size + 4);
		}
		this.rest = Buffer.from(data);
	}

	/** A new channel, which is asked that. It can be listened to from here on. */
	ask(question: Answer): Channel {
		if (this.ended) throw new Failure('unavailable', 'the sandbox has ended');
		const channel = new Channel(this, ++this.last);
		this.channels.set(channel.number, channel);
		void this.send('q', channel.number, Buffer.from(JSON.stringify(question)));
		return channel;
	}

	/** Frames are whole, one behind the other. */
	send(kind: string, number: number, data: Buffer): Promise<void> {
		const head = Buffer.alloc(HEAD);
		head.writeUInt32BE(data.length + 5);
		head.write(kind, 4, 'latin1');
		head.writeUInt32BE(number, 5);
		this.writing = this.writing.then(() => this.write(Buffer.concat([head, data])));
		return this.writing;
	}

	private async write(frame: Buffer): Promise<void> {
		let patience = INPUT_PATIENCE_MS;
		for (let at = 0; at < frame.length && !this.ended; ) {
			try {
				at += (await this.input.write(frame, at)).bytesWritten;
				patience = INPUT_PATIENCE_MS;
			} catch (error) {
				const code = (error as NodeJS.ErrnoException).code;
				patience -= 5;
				if ((code !== 'EAGAIN' && code !== 'EINTR') || patience <= 0) {
					this.close();
					return;
				}
				await pause(5); // the file has no event that Node could wait for
			}
		}
	}

	forget(number: number): void {
		this.channels.delete(number);
	}

	close(): void {
		this.reader.kill('SIGKILL');
	}

	private async end(): Promise<void> {
		if (this.ended) return;
		this.ended = true;
		await this.input.close().catch(() => {});
		for (const channel of this.channels.values()) channel.lost();
		this.channels.clear();
	}
}
