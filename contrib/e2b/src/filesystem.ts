// SPDX-License-Identifier: MIT
// The service filesystem.Filesystem. Every path is looked up in the sandbox, by its own program:
// nothing of the host is opened.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer } from './agent.js';
import { type Stream, streaming, unary } from './connect.js';
import { Failure, notServed } from './failure.js';
import type { Sandbox } from './sandbox.js';

type Message = Record<string, unknown>;

const TYPES: Record<string, string> = {
	file: 'FILE_TYPE_FILE',
	dir: 'FILE_TYPE_DIRECTORY',
	symlink: 'FILE_TYPE_SYMLINK',
};

function entry(value: unknown): Message {
	const from = (value ?? {}) as Answer;
	const modified = Number(from['modified'] ?? 0) / 1e6;
	return {
		name: String(from['name']),
		type: TYPES[String(from['type'])] ?? 'FILE_TYPE_UNSPECIFIED',
		path: String(from['path']),
		size: String(from['size'] ?? 0),
		mode: Number(from['mode'] ?? 0),
		permissions: String(from['permissions']),
		owner: String(from['owner']),
		group: String(from['group']),
		modifiedTime: new Date(Number.isFinite(modified) ? modified : 0).toISOString(),
		...(typeof from['target'] === 'string' && { symlinkTarget: from['target'] }),
	};
}

export function pathOf(value: unknown): string {
	if (typeof value !== 'string' || value.includes('\0'))
		throw new Failure('invalid_argument', 'no path that could be used');
	return value;
}

const CALLS: Record<string, (sandbox: Sandbox, message: Message) => Promise<unknown>> = {
	async Stat(sandbox, message) {
		const answer = await sandbox.answer({ op: 'stat', path: pathOf(message['path']) });
		return { entry: entry(answer['entry']) };
	},
	async ListDir(sandbox, message) {
		const answer = await sandbox.answer({
			op: 'list',
			path: pathOf(message['path']),
			depth: Number(message['depth'] ?? 1),
		});
		const entries = answer['entries'];
		return { entries: Array.isArray(entries) ? entries.map(entry) : [] };
	},
	async MakeDir(sandbox, message) {
		const answer = await sandbox.answer({ op: 'mkdir', path: pathOf(message['path']) });
		return { entry: entry(answer['entry']) };
	},
	async Move(sandbox, message) {
		const answer = await sandbox.answer({
			op: 'move',
			path: pathOf(message['source']),
			to: pathOf(message['destination']),
		});
		return { entry: entry(answer['entry']) };
	},
	async Remove(sandbox, message) {
		await sandbox.answer({ op: 'remove', path: pathOf(message['path']) });
		return {};
	},
};

async function watch(sandbox: Sandbox, message: Message, stream: Stream): Promise<void> {
	const channel = sandbox.ask({
		op: 'watch',
		path: pathOf(message['path']),
		recursive: message['recursive'] === true,
	});
	let order = channel.first.then(() => stream.send({ start: {} }));
	order.catch(() => {});
	channel.onEvent = (event) => {
		const type = `EVENT_TYPE_${String(event['type']).toUpperCase()}`;
		order = order.then(() => stream.send({ filesystem: { name: event['name'], type } }));
	};
	stream.onClose = () => void channel.tell({ cancel: true });
	await channel.closed;
	stream.finish();
}

export async function serveFilesystem(
	sandbox: Sandbox,
	call: string,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	if (call === 'WatchDir') {
		await streaming(request, response, { keepalive: {} }, (message, stream) =>
			watch(sandbox, message, stream),
		);
		return;
	}
	const act = Object.hasOwn(CALLS, call) ? CALLS[call] : undefined;
	await unary(request, response, async (message) => {
		if (!act) throw notServed(`filesystem.Filesystem/${call}`);
		return act(sandbox, message);
	});
}
