// SPDX-License-Identifier: MIT
// Output in pieces: exact, bounded, whatever the bytes are.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { agent, mount } from './agent.mjs';

const transcript = (session) => readFileSync(`${mount}/${session}/transcript`);

async function ended(a, start) {
	const { session } = await a.call('start_session', start);
	assert.equal((await a.call('wait', { session })).waited_for, 'exit');
	return session;
}

export const pieces_are_the_whole = () =>
	agent(async (a) => {
		const session = await ended(a, { command: 'seq 200000' });
		const all = transcript(session);
		assert.ok(all.length > 1_300_000);
		const pieces = await a.whole(session, { encoding: 'base64', max_bytes: 65000 });
		assert.ok(pieces.length >= 20);
		assert.ok(Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))).equals(all));
		assert.equal((await a.whole(session, { max_bytes: 99999 })).join(''), all.toString());
	});

export const characters_are_not_cut = () =>
	agent(async (a) => {
		const session = await ended(a, { command: 'for i in $(seq 40); do printf "aä€𝄞"; done' });
		const text = 'aä€𝄞'.repeat(40);
		assert.equal(transcript(session).toString(), text);
		for (const max_bytes of [16, 17, 18, 19, 23]) {
			const pieces = await a.whole(session, { max_bytes });
			assert.ok(pieces.every((piece) => Buffer.byteLength(piece) <= max_bytes));
			assert.equal(pieces.join(''), text);
		}
	});

/** The first bytes of a character wait for the others, as long as there can be others. */
export const a_character_in_two_pieces = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', {
			command: "stty -echo raw; printf 'x\\303'; head -c 1; printf '\\244\\303'",
		});
		await a.call('wait', { session, pattern: 'x.' });
		const first = await a.call('read_output', { session });
		assert.deepEqual(
			[first.text, first.next_offset, first.remaining, first.end],
			['x', 1, 1, false],
		);
		const exact = await a.call('read_output', { session, encoding: 'base64' });
		assert.deepEqual(
			[Buffer.from(exact.text, 'base64'), exact.next_offset],
			[Buffer.from('x\xc3', 'latin1'), 2],
		);
		await a.call('send_input', { session, text: '-' });
		await a.call('wait', { session });
		const rest = await a.call('read_output', { session, offset: first.next_offset });
		assert.deepEqual([rest.text, rest.next_offset, rest.end], ['\ufffd-\ufffd\ufffd', 5, true]);
	});

export const bytes_that_are_not_text = () =>
	agent(async (a) => {
		const session = await ended(a, {
			command: 'stty raw; i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %o $i)"; i=$((i+1)); done',
		});
		const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
		assert.ok(transcript(session).equals(all));
		const { text } = await a.call('read_output', { session, encoding: 'base64' });
		assert.ok(Buffer.from(text, 'base64').equals(all));
		const lossy = (await a.whole(session, { max_bytes: 50 })).join('');
		assert.equal(lossy, new TextDecoder().decode(all));
		assert.equal(lossy.slice(0, 128), all.toString('latin1').slice(0, 128));
	});

export const a_flood_is_bounded = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', {
			command: 'stty raw; exec yes 0123456789',
			config: { retain: '1M', overflow: 'drop' },
		});
		let at = 0;
		let lost = 0;
		for (let i = 0; i < 50; i++) {
			// From time to time so late that what was to come next is gone.
			while (
				i % 10 === 5 &&
				Number(
					(await a.call('session_status', { session })).status['output-start'],
				) <= at
			);
			const piece = await a.call('read_output', { session, offset: at });
			assert.ok(piece.text.length <= 16384);
			assert.equal(piece.offset - at, piece.dropped);
			assert.equal(piece.next_offset - piece.offset, piece.text.length);
			// What is at an offset is what was printed there.
			assert.equal(
				piece.text,
				'0123456789\n'
					.repeat(1600)
					.slice(piece.offset % 11, (piece.offset % 11) + piece.text.length),
			);
			at = piece.next_offset;
			lost += piece.dropped;
		}
		assert.ok(lost > 0);
		assert.equal((await a.call('kill', { session })).state, 'exited');
		const screen = await a.call('read_screen', { session });
		assert.ok(screen.screen.length < 4000);
	});

export const what_was_dropped_is_told = () =>
	agent(async (a) => {
		const session = await ended(a, { command: 'seq 100000', config: { retain: '64K' } });
		const piece = await a.call('read_output', { session, offset: 10, max_bytes: 1000 });
		assert.ok(piece.dropped > 400_000);
		assert.equal(piece.offset, piece.dropped + 10);
		const rest = await a.call('read_output', {
			session,
			offset: piece.offset,
			max_bytes: 262144,
		});
		assert.deepEqual([rest.dropped, rest.end, rest.remaining], [0, true, 0]);
		assert.equal(rest.text, transcript(session).toString());
		assert.ok(rest.text.startsWith(piece.text));
		const beyond = await a.call('read_output', { session, offset: 10_000_000 });
		assert.deepEqual(
			[beyond.text, beyond.next_offset, beyond.dropped, beyond.end],
			['', 10_000_000, 0, true],
		);
	});

/** However the bytes are escaped on the wire, a result is not larger than was asked for. */
export const results_are_bounded_as_encoded = () =>
	agent(async (a) => {
		const print = String.raw`import sys; b = sys.stdout.buffer
b.write(b'\x01' * 40000 + b'"' * 40000 + b'\\' * 40000 + b'\xff' * 40000 + 'ä𝄞'.encode() * 9000)`;
		const { session } = await a.call('start_session', {
			argv: ['/usr/bin/python3', '-c', print],
			terminal: false,
		});
		assert.equal((await a.call('wait', { session })).exit, 0);
		const overhead = 1000;
		for (const encoding of ['utf-8', 'base64'])
			for (let offset = 0, piece; !piece?.end; offset = piece.next_offset) {
				const result = await a.request('read_output', {
					session,
					offset,
					encoding,
					max_bytes: 30000,
				});
				const size = Buffer.byteLength(JSON.stringify(result));
				assert.ok(size <= 30000 + overhead, `${encoding} at ${offset}: ${size}`);
				piece = JSON.parse(result.content[0].text);
				assert.ok(piece.end || size > 20000, `${encoding} at ${offset}: only ${size}`);
			}
		await a.call('put_file', { session, path: 'f', content: '\x01'.repeat(50000) });
		const result = await a.request('get_file', { session, path: 'f', max_bytes: 7000 });
		assert.ok(Buffer.byteLength(JSON.stringify(result)) <= 7000 + overhead);
		assert.equal(JSON.parse(result.content[0].text).next_offset, 1000);
		for (let i = 0; i < 40; i++)
			await a.call('put_file', { session, path: `d/${i}${'\x01'.repeat(60)}`, content: '' });
		const listed = await a.request('get_file', { session, path: 'd', max_bytes: 3000 });
		assert.ok(Buffer.byteLength(JSON.stringify(listed)) <= 3000 + overhead);
		const { entries, more } = JSON.parse(listed.content[0].text);
		assert.ok(more && entries.length > 5);
	});
