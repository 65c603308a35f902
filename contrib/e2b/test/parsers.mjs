// SPDX-License-Identifier: MIT
// The parser of multipart bodies, in pieces of any size, and of what is none.

import assert from 'node:assert/strict';
import { boundaryOf, partsOf } from '../dist/multipart.js';

const BODY = Buffer.from(
	'preamble\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a%22b"\r\n' +
		'Content-Type: x\r\n\r\n\r\n--\r\n--c\r\n-\r\n--b\r\n' +
		'content-disposition: form-data; name=file\r\n\r\n\r\n--b--\r\nepilogue',
);

async function* pieces(body, size) {
	for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

async function read(body, size) {
	const files = [];
	for await (const part of partsOf(pieces(body, size), 'b'))
		if (part.kind === 'file') files.push([part.filename, '']);
		else files.at(-1)[1] += part.data.toString('latin1');
	return files;
}

export const pieces_of_any_size = async () => {
	for (let size = 1; size <= BODY.length; size++)
		assert.deepEqual(await read(BODY, size), [
			['a"b', '\r\n--\r\n--c\r\n-'],
			[undefined, ''],
		]);
};

/** Each ends, in an answer or in a refusal. */
export const what_is_cut_or_changed = async () => {
	let refused = 0;
	const end = BODY.lastIndexOf('--b--') + 5;
	for (let size = 0; size < end; size++)
		await assert.rejects(read(BODY.subarray(0, size), 7), /multipart/);
	for (let at = 0; at < BODY.length; at++)
		for (const byte of [0, 10, 13, 34, 45, 255]) {
			const changed = Buffer.from(BODY);
			changed[at] = byte;
			await read(changed, 5).catch((error) => {
				assert.match(error.message, /multipart/);
				refused++;
			});
		}
	assert(refused > 10);
	await assert.rejects(read(Buffer.concat([Buffer.from('--b\r\n'), Buffer.alloc(40_000, 'x')]), 999), /too long|its end/);
};

export const boundaries = async () => {
	assert.equal(boundaryOf('multipart/form-data; boundary=abc'), 'abc');
	assert.equal(boundaryOf('multipart/form-data; charset=x; BOUNDARY="a b"'), 'a b');
	assert.throws(() => boundaryOf('multipart/form-data'), /without a boundary/);
};
