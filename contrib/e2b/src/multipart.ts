// SPDX-License-Identifier: MIT
// multipart/form-data (RFC 7578), as it comes: files are of any size.

import { Failure } from './failure.js';

const HEADERS_MAX = 16384;

export type Part = { kind: 'file'; filename: string | undefined } | { kind: 'data'; data: Buffer };

export function boundaryOf(type: string): string {
	const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,200})"|([^;\s]{1,200}))/i.exec(type) ?? [];
	const boundary = quoted ?? plain;
	if (!boundary) throw new Failure('invalid_argument', 'multipart without a boundary');
	return boundary;
}

/** What fetch() makes of a name, the other way round. */
function filenameOf(headers: string): string | undefined {
	const disposition = /^content-disposition:(.*)$/im.exec(headers)?.[1] ?? '';
	const name = /;\s*filename="([^"]*)"/i.exec(disposition)?.[1];
	return name?.replace(/%22|%0D|%0A/gi, (escape) => decodeURIComponent(escape));
}

class Source {
	buffer: Buffer = Buffer.from('\r\n');
	private readonly pieces: AsyncIterator<Buffer>;

	constructor(body: AsyncIterable<Buffer>) {
		this.pieces = body[Symbol.asyncIterator]();
	}

	async more(): Promise<void> {
		const { done, value } = await this.pieces.next();
		if (done) throw new Failure('invalid_argument', 'multipart without its end');
		this.buffer = Buffer.concat([this.buffer, value]);
	}

	take(count: number): Buffer {
		const taken = this.buffer.subarray(0, count);
		this.buffer = this.buffer.subarray(count);
		return taken;
	}
}

/** Up to the mark, which is taken too. */
async function* until(source: Source, mark: Buffer): AsyncGenerator<Buffer> {
	for (;;) {
		const at = source.buffer.indexOf(mark);
		if (at >= 0) {
			if (at > 0) yield source.take(at);
			source.take(mark.length);
			return;
		}
		const sure = source.buffer.length - mark.length + 1;
		if (sure > 0) yield source.take(sure);
		await source.more();
	}
}

async function headersOf(source: Source): Promise<string> {
	let text = '';
	for await (const piece of until(source, Buffer.from('\r\n\r\n'))) {
		text += piece.toString();
		if (text.length > HEADERS_MAX)
			throw new Failure('invalid_argument', 'multipart with too long headers');
	}
	return text;
}

export async function* partsOf(body: AsyncIterable<Buffer>, boundary: string): AsyncGenerator<Part> {
	const source = new Source(body);
	const mark = Buffer.from(`\r\n--${boundary}`);
	for await (const _ of until(source, mark));
	for (;;) {
		while (source.buffer.length < 2) await source.more();
		if (source.buffer.subarray(0, 2).toString() === '--') break;
		yield { kind: 'file', filename: filenameOf(await headersOf(source)) };
		for await (const data of until(source, mark)) yield { kind: 'data', data };
	}
}
