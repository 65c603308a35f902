// SPDX-License-Identifier: MIT
// Who may ask for what.
//
// There is one secret, the key, made anew at each start. The page keeps it in its own storage and
// shows it with each request for sessions. A cookie would not do for that: the cookies of 127.0.0.1
// go to every port, so to whatever else listens there. What the cookie has is derived from the key
// and opens the page's files, which hold nothing of anybody's.
//
// The key comes to the page in the fragment of the URL, which browsers send to nobody.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const digest = text => createHash('sha256').update(text).digest();
const same = (a, b) => timingSafeEqual(digest(a), digest(b));

export class Guard {
	constructor(port) {
		this.port = port;
		this.hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
		this.key = randomBytes(32).toString('base64url');
		this.pass = createHmac('sha256', this.key).update('page').digest('base64url');
	}

	url() {
		return `http://${this.hosts[0]}/?pass=${this.pass}#key=${this.key}`;
	}

	cookie() {
		return `mimobox-${this.port}=${this.pass}; Path=/; HttpOnly; SameSite=Strict`;
	}

	isPass(text) {
		return same(text ?? '', this.pass);
	}

	// Another name that leads here is somebody's who wants to pass for us (DNS rebinding).
	hostIsOurs(request) {
		return this.hosts.includes(request.headers.host);
	}

	// Browsers name the origin of each request that could change something.
	originIsOurs(request) {
		return request.headers.origin === `http://${request.headers.host}`;
	}

	mayHavePage(request) {
		const cookies = (request.headers.cookie ?? '').split(/; */);
		const ours = cookies.find(text => text.startsWith(`mimobox-${this.port}=`));
		return this.isPass(ours?.slice(ours.indexOf('=') + 1));
	}

	mayHaveSessions(request) {
		const [scheme, key] = (request.headers.authorization ?? '').split(' ');
		return same(key ?? '', this.key) && scheme === 'Bearer';
	}

	// A page cannot set headers of a WebSocket, but for the protocols that it offers.
	mayHaveSocket(request) {
		const offered = (request.headers['sec-websocket-protocol'] ?? '').split(/, */);
		return same(offered[1] ?? '', `key.${this.key}`) && offered[0] === 'mimobox';
	}
}
