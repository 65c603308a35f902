// SPDX-License-Identifier: MIT
// Bytes as the text of a result.

export type Encoding = 'utf-8' | 'base64';

const CHARACTER_MAX = 4;

/** How many bytes a UTF-8 character has that begins so; 1 where none does. */
function characterSize(byte: number): number {
	if (byte >= 0xf0 && byte < 0xf5) return 4;
	if (byte >= 0xe0 && byte < 0xf0) return 3;
	return byte >= 0xc2 && byte < 0xe0 ? 2 : 1;
}

/** Without a character at the end that may still be completed by the bytes to come. */
export function cutAtCharacter(bytes: Buffer): Buffer {
	for (let back = 1; back < CHARACTER_MAX && back <= bytes.length; back++) {
		const byte = bytes[bytes.length - back] as number;
		if ((byte & 0xc0) === 0x80) continue;
		return characterSize(byte) > back ? bytes.subarray(0, bytes.length - back) : bytes;
	}
	return bytes;
}

/** Bytes of a text on the wire, where it is a JSON string within the JSON of a result, within JSON. */
export function encodedSize(text: string): number {
	return Buffer.byteLength(JSON.stringify(JSON.stringify(text))) - 6;
}

/** The longest beginning that `size` says to be at most `most`, which its length is not more than. */
function longest(length: number, most: number, size: (length: number) => number): number {
	let [fits, not] = [0, length + 1];
	while (fits + 1 < not) {
		const middle = (fits + not) >> 1;
		if (size(middle) <= most) fits = middle;
		else not = middle;
	}
	return fits;
}

/** The longest beginning of `bytes`, of whole characters, that has at most `most` bytes as text. */
export function fitBytes(bytes: Buffer, most: number): Buffer {
	const cut = (length: number) =>
		length < bytes.length ? cutAtCharacter(bytes.subarray(0, length)) : bytes;
	return cut(longest(bytes.length, most, (length) => encodedSize(decodeLossy(cut(length)))));
}

/** The same of a text. No half of a character is left at its end. */
export function fitText(text: string, most: number): string {
	const cut = (length: number) => text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
	return cut(longest(text.length, most, (length) => encodedSize(cut(length))));
}

/** How many bytes base64 has room for in so many characters. */
export function fitBase64(most: number): number {
	return Math.floor(most / 4) * 3;
}

/**
 * A file's name as text: what is not UTF-8, controls, format characters (such as those that turn the
 * direction of writing) and backslashes are written \xNN. nameBytes() is the way back.
 */
export function nameText(bytes: Buffer): string {
	const escape = (part: Buffer) => [...part].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`);
	const text = decode(bytes);
	if (text !== undefined)
		return text.replace(/[\\\p{C}\p{Zl}\p{Zp}]/gu, (one) => escape(Buffer.from(one)).join(''));
	return [...bytes]
		.map((byte) =>
			byte >= 0x20 && byte < 0x7f && byte !== 0x5c ? String.fromCharCode(byte) : escape(Buffer.of(byte)),
		)
		.flat()
		.join('');
}

export function nameBytes(text: string): Buffer {
	return Buffer.concat(
		text
			.split(/(\\x[0-9a-fA-F]{2})/)
			.map((part, i) => (i % 2 ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part))),
	);
}

/** What is not UTF-8 becomes U+FFFD. */
export function decodeLossy(bytes: Buffer): string {
	return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** undefined: it is not UTF-8. */
export function decode(bytes: Buffer): string | undefined {
	try {
		return new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(bytes);
	} catch {
		return undefined;
	}
}
