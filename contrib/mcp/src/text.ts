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
