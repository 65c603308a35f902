// SPDX-License-Identifier: MIT
// Requests and answers.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { Failure } from './failure.js';

const BODY_MAX = 64 << 20;

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
	const pieces: Buffer[] = [];
	let size = 0;
	for await (const piece of request) {
		size += (piece as Buffer).length;
		if (size > BODY_MAX) throw new Failure('invalid_argument', 'the request is too large');
		pieces.push(piece as Buffer);
	}
	const body = Buffer.concat(pieces);
	return request.headers['content-encoding'] === 'gzip'
		? gunzipSync(body, { maxOutputLength: BODY_MAX })
		: body;
}

export function parse(text: string): Record<string, unknown> {
	let value: unknown;
	try {
		value = text ? JSON.parse(text) : {};
	} catch {
		throw new Failure('invalid_argument', 'the request is not JSON');
	}
	if (typeof value !== 'object' || value === null || Array.isArray(value))
		throw new Failure('invalid_argument', 'the request is no JSON object');
	return value as Record<string, unknown>;
}

export async function jsonOf(request: IncomingMessage): Promise<Record<string, unknown>> {
	return parse((await bodyOf(request)).toString());
}

/** Some clients read no more of an error than what stands behind its number. */
function reason(text: string): string {
	return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}

export function give(response: ServerResponse, status: number, value?: unknown): void {
	if (value === undefined) {
		response.writeHead(status).end();
		return;
	}
	const text = JSON.stringify(value);
	response
		.writeHead(status, {
			'content-type': 'application/json',
			'content-length': Buffer.byteLength(text),
		})
		.end(text);
}

/** As the API says it. */
export function refuse(response: ServerResponse, error: unknown): void {
	const failure = Failure.from(error);
	if (response.headersSent) response.destroy();
	else {
		response.statusMessage = reason(failure.message);
		give(response, failure.status, { code: failure.status, message: failure.message });
	}
}

/** Resolves when more can be written; at once, when nobody reads any more. */
export async function drained(response: ServerResponse, data: Buffer | string): Promise<void> {
	if (response.destroyed || response.writableEnded || response.write(data)) return;
	await new Promise<void>((resolve) => {
		const done = () => {
			response.off('drain', done);
			response.off('close', done);
			resolve();
		};
		response.once('drain', done);
		response.once('close', done);
	});
}

export function header(request: IncomingMessage, name: string): string | undefined {
	const value = request.headers[name];
	return Array.isArray(value) ? value[0] : value;
}

export function stringsOf(value: unknown, what: string): Record<string, string> {
	if (value === undefined || value === null) return {};
	if (typeof value !== 'object' || Array.isArray(value))
		throw new Failure('invalid_argument', `${what} is no object`);
	for (const one of Object.values(value))
		if (typeof one !== 'string')
			throw new Failure('invalid_argument', `${what} has values that are no strings`);
	return value as Record<string, string>;
}
