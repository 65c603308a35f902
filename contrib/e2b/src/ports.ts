// SPDX-License-Identifier: MIT
// What listens in a sandbox, by the name that getHost() gives it: PORT-SANDBOX.localhost. It is
// reached through `ports/PORT` of the session.

import { type IncomingMessage, type ServerResponse, request as ask } from 'node:http';
import { connect } from 'node:net';
import { access } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { give } from './http.js';
import type { Sandbox } from './sandbox.js';

/** undefined: the host is no sandbox's. */
export function portOf(host: string | undefined): { port: number; id: string } | undefined {
	const [, port, id] = /^(\d{1,5})-([a-z0-9]+)\.localhost(?::\d+)?$/.exec(host ?? '') ?? [];
	return port && id ? { port: Number(port), id } : undefined;
}

function socketOf(sandbox: Sandbox, port: number): string {
	return `${sandbox.session.path}/ports/${port}`;
}

function closed(response: ServerResponse, sandbox: Sandbox, port: number): void {
	const message = 'The sandbox is running but port is not open';
	give(response, 502, { sandboxId: sandbox.id, message, port, code: 502 });
}

export async function servePort(
	sandbox: Sandbox,
	port: number,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	const socketPath = socketOf(sandbox, port);
	if (
		!(await access(socketPath).then(
			() => true,
			() => false,
		))
	) {
		closed(response, sandbox, port);
		return;
	}
	const { method, url, headers } = request;
	const there = ask({ socketPath, method, path: url, headers }, (answer) => {
		response.writeHead(answer.statusCode ?? 502, answer.headers);
		answer.pipe(response);
	});
	there.once('error', () => {
		if (response.headersSent) response.destroy();
		else closed(response, sandbox, port);
	});
	response.once('close', () => there.destroy());
	request.pipe(there);
}

/** WebSockets: the bytes as they are. */
export function upgradePort(
	sandbox: Sandbox,
	port: number,
	request: IncomingMessage,
	socket: Duplex,
	head: Buffer,
): void {
	const there = connect(socketOf(sandbox, port), () => {
		const lines = [`${request.method} ${request.url} HTTP/1.1`];
		for (let i = 0; i < request.rawHeaders.length; i += 2)
			lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
		there.write(`${lines.join('\r\n')}\r\n\r\n`);
		there.write(head);
		there.pipe(socket).pipe(there);
	});
	there.once('error', () => socket.destroy());
	socket.once('error', () => there.destroy());
	socket.once('close', () => there.destroy());
}
