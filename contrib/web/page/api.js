// SPDX-License-Identifier: MIT
// What the page asks of the server. The key comes by the fragment of the address, and is kept where
// only pages of this very origin see it.
const STORE = 'mimobox-key';

if (location.hash.startsWith('#key=')) {
	localStorage.setItem(STORE, location.hash.slice('#key='.length));
	history.replaceState(null, '', '/');
}
const key = localStorage.getItem(STORE) ?? '';

export async function ask(method, path, body) {
	const response = await fetch(path, {
		method,
		headers: { Authorization: `Bearer ${key}` },
		body: body && JSON.stringify(body),
	});
	if (response.ok)
		return response;
	const { error } = await response.json().catch(() => ({}));
	throw new Error(error ?? response.statusText);
}

export function connect(path) {
	const socket = new WebSocket(`ws://${location.host}${path}`, ['mimobox', `key.${key}`]);
	socket.binaryType = 'arraybuffer';
	return socket;
}
