// SPDX-License-Identifier: MIT
// The service process.Process: commands and terminals.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants } from 'node:os';
import { Failure, notServed } from './failure.js';
import { type Stream, streaming, unary } from './connect.js';
import { stringsOf } from './http.js';
import type { Running, Sandbox } from './sandbox.js';

type Message = Record<string, unknown>;

const ALIVE = { event: { keepalive: {} } };
const SIGNALS: Record<string, number> = {
	SIGNAL_SIGKILL: constants.signals.SIGKILL,
	SIGNAL_SIGTERM: constants.signals.SIGTERM,
};

function object(value: unknown): Message {
	return typeof value === 'object' && value !== null && !Array.isArray(value)
		? (value as Message)
		: {};
}

function strings(value: unknown): string[] {
	const list = value ?? [];
	if (!Array.isArray(list) || list.some((one) => typeof one !== 'string'))
		throw new Failure('invalid_argument', 'args is no list of strings');
	return list;
}

/** The command that a request is about, by its number or its tag. */
function selected(sandbox: Sandbox, message: Message): Running {
	const { pid, tag } = object(message['process']);
	for (const one of sandbox.running.values())
		if (tag === undefined ? one.pid === pid : one.tag === tag) return one;
	throw new Failure('not_found', `process with pid ${String(pid ?? tag)} not found`);
}

/** As Go names it, since that is what clients have seen. */
function endOf(status: number): Message {
	if (status >= 0)
		return {
			exitCode: status,
			exited: true,
			status: `exit status ${status}`,
			...(status > 0 && { error: `exit status ${status}` }),
		};
	const name = Object.entries(constants.signals).find(([, number]) => number === -status)?.[0];
	const words: Record<string, string> = { SIGKILL: 'killed', SIGTERM: 'terminated' };
	const what = `signal: ${words[name ?? ''] ?? name ?? -status}`;
	return { exitCode: -1, exited: false, status: what, error: what };
}

/** Tells a stream what the command prints, until it ends. */
function listen(running: Running, stream: Stream): Promise<void> {
	return new Promise((resolve) => {
		const done = (failure?: Failure) => {
			running.listeners.delete(listener);
			stream.finish(failure);
			resolve();
		};
		const listener = {
			data: (kind: 'output' | 'errors', data: Buffer) => {
				const field = running.pty ? 'pty' : kind === 'output' ? 'stdout' : 'stderr';
				return stream.send({ event: { data: { [field]: data.toString('base64') } } });
			},
			end: (status: number) => {
				void stream.send({ event: { end: endOf(status) } });
				done();
			},
			lost: done,
		};
		running.listeners.add(listener);
	});
}

async function start(sandbox: Sandbox, message: Message, stream: Stream): Promise<void> {
	const config = object(message['process']);
	const size = message['pty'] === undefined ? undefined : object(object(message['pty'])['size']);
	const cmd = config['cmd'];
	if (typeof cmd !== 'string' || !cmd) throw new Failure('invalid_argument', 'no command');
	const channel = sandbox.ask({
		op: 'start',
		cmd,
		args: strings(config['args']),
		envs: { ...sandbox.wish.envs, ...stringsOf(config['envs'], 'envs') },
		cwd: config['cwd'] ?? '',
		stdin: message['stdin'] !== false,
		...(size && { pty: size }),
	});
	const running: Running = {
		pid: 0,
		tag: typeof message['tag'] === 'string' ? message['tag'] : undefined,
		config,
		pty: size !== undefined,
		channel,
		listeners: new Set(),
	};
	channel.onData = async ({ kind, data }) => {
		await Promise.all([...running.listeners].map((one) => one.data(kind, data)));
	};
	// Before anything of it can come; what comes is behind the start.
	const told = channel.first.then((first) => {
		running.pid = Number(first['pid']);
		sandbox.running.set(running.pid, running);
		return stream.send({ event: { start: { pid: running.pid } } });
	});
	const listening = listen(running, stream);
	channel.closed
		.then(
			(answer) => {
				for (const one of [...running.listeners]) one.end(Number(answer['status']));
			},
			(error) => {
				for (const one of [...running.listeners]) one.lost(Failure.from(error));
			},
		)
		.finally(() => sandbox.running.delete(running.pid));
	// Its time is over: then it is killed, as E2B does, whether or not the client is still there.
	if (stream.limitMs > 0) {
		const timer = setTimeout(
			() => void channel.tell({ signal: constants.signals.SIGKILL }),
			stream.limitMs,
		);
		channel.closed.catch(() => {}).finally(() => clearTimeout(timer));
	}
	await told.catch(() => {});
	await listening;
}

async function connect(sandbox: Sandbox, message: Message, stream: Stream): Promise<void> {
	const running = selected(sandbox, message);
	void stream.send({ event: { start: { pid: running.pid } } });
	await listen(running, stream);
}

const CALLS: Record<string, (sandbox: Sandbox, message: Message) => Promise<unknown>> = {
	async List(sandbox) {
		return {
			processes: [...sandbox.running.values()].map(({ pid, tag, config }) => ({
				pid,
				config,
				...(tag !== undefined && { tag }),
			})),
		};
	},
	async SendInput(sandbox, message) {
		const { stdin, pty } = object(message['input']);
		const data = stdin ?? pty;
		if (typeof data !== 'string') throw new Failure('invalid_argument', 'no input');
		await selected(sandbox, message).channel.write(Buffer.from(data, 'base64'));
		return {};
	},
	async CloseStdin(sandbox, message) {
		await selected(sandbox, message).channel.finish();
		return {};
	},
	async SendSignal(sandbox, message) {
		const asked = message['signal'];
		const signal = typeof asked === 'string' ? SIGNALS[asked] : Number(asked);
		if (!signal || ![9, 15].includes(signal))
			throw new Failure('invalid_argument', 'the signal is neither SIGKILL nor SIGTERM');
		await selected(sandbox, message).channel.tell({ signal });
		return {};
	},
	async Update(sandbox, message) {
		const size = object(object(message['pty'])['size']);
		await selected(sandbox, message).channel.tell({ size });
		return {};
	},
};

export async function serveProcess(
	sandbox: Sandbox,
	call: string,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	if (call === 'Start' || call === 'Connect') {
		const act = call === 'Start' ? start : connect;
		await streaming(request, response, ALIVE, (message, stream) =>
			act(sandbox, message, stream),
		);
		return;
	}
	const act = Object.hasOwn(CALLS, call) ? CALLS[call] : undefined;
	await unary(request, response, async (message) => {
		if (!act) throw notServed(`process.Process/${call}`);
		return act(sandbox, message);
	});
}
