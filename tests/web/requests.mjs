// SPDX-License-Identifier: MIT
// What the web terminal answers to requests that no page of its own would make, and to many.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, symlinkSync,
	writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { make, MOUNT, put, read, start, until, Watcher, Web } from './server.mjs';

const ENTRIES = [['GET', '/'], ['GET', '/page.js'], ['GET', '/nothing'], ['GET', '/sessions/a/cast'],
	['GET', '/sessions/a/usage'], ['GET', '/sessions/a/files/'], ['GET', '/sessions/a/file/x'],
	['POST', '/sessions'], ['POST', '/sessions/a/ctl'], ['DELETE', '/sessions/a']];

// What a page is told last when it puts a file there.
async function putFile(web, path, bytes, size = bytes.length) {
	const told = [];
	const socket = await web.socket('/put/a', { hear: data => told.push(JSON.parse(data)) });
	const closed = once(socket, 'close');
	socket.send(JSON.stringify({ path, size }));
	for (let from = 0; from < bytes.length; from += 60000)
		socket.send(bytes.subarray(from, from + 60000));
	await closed;
	return told.at(-1);
}

export const requests = {
	async nothing_without_the_key(web) {
		make('a');
		const cookie = `mimobox-${web.port}=${web.pass}`;
		for (const [method, path] of ENTRIES) {
			for (const key of [null, 'Bearer', 'Bearer x', `Basic ${web.key}`, `Bearer ${web.pass}`])
				assert.equal((await web.ask(method, path, { Authorization: key })).status, 401, path);
			const wrong = { Authorization: null, Cookie: `mimobox-${web.port}=${web.key}` };
			assert.equal((await web.ask(method, path, wrong)).status, 401, path);
		}
		for (const path of ['/list', '/view/a', '/put/a'])
			for (const protocols of [[], ['mimobox'], ['mimobox', 'key.'], [`key.${web.key}`],
				['mimobox', `key.${web.pass}`]])
				assert.equal(await web.socket(path, { protocols }), 401, path);
		assert.equal((await web.ask('GET', '/?pass=x', { Authorization: null })).status, 401);
		// the cookie opens the page, and nothing of the sessions
		for (const [method, path] of ENTRIES.slice(3)) {
			const answer = await web.ask(method, path, { Authorization: null, Cookie: cookie });
			assert.equal(answer.status, 401, path);
		}
		assert.equal((await web.ask('GET', '/', { Authorization: null, Cookie: cookie })).status, 200);
		assert.ok(existsSync(`${MOUNT}/a`));
	},

	async the_way_in(web) {
		const { status, headers } = await web.ask('GET', `/?pass=${web.pass}`, { Authorization: null });
		assert.equal(status, 303);
		assert.equal(headers.location, '/');
		assert.match(headers['set-cookie'][0], /; HttpOnly; SameSite=Strict$/);
		assert.ok(!headers['set-cookie'][0].includes(web.key));
		const Cookie = headers['set-cookie'][0].split(';')[0];
		const page = await web.ask('GET', '/', { Authorization: null, Cookie });
		assert.equal(page.headers['x-content-type-options'], 'nosniff');
		assert.equal(page.headers['referrer-policy'], 'no-referrer');
		assert.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self';/);
		assert.ok(!page.headers['content-security-policy'].includes('unsafe'));
		assert.ok(web.key.length >= 43 && !page.text.includes(web.key));
		const other = await Web.start();
		assert.notEqual(other.key, web.key);
		assert.equal((await other.ask('GET', '/', { Authorization: null, Cookie })).status, 401);
		assert.equal(await other.end('SIGINT'), 0);
	},

	async no_other_page_and_no_other_name(web) {
		make('a');
		const elsewhere = ['http://example.com', 'null', `http://127.0.0.1:${web.port + 1}`,
			`https://${web.host}`];
		for (const Origin of [...elsewhere, null]) {
			assert.equal((await web.ask('DELETE', '/sessions/a', { Origin })).status, 403, Origin);
			assert.equal((await web.ask('POST', '/sessions', { Origin, body: '{}' })).status, 403);
		}
		for (const origin of elsewhere) {
			assert.equal(await web.socket('/list', { origin }), 403, origin);
			assert.equal(await web.socket('/put/a', { origin }), 403, origin);
			assert.equal((await web.ask('GET', '/sessions/a/cast', { Origin: origin })).status, 403);
		}
		for (const Host of ['example.com', `example.com:${web.port}`, '127.0.0.1', `[::1]:${web.port}`]) {
			const Origin = `http://${Host}`;
			assert.equal((await web.ask('DELETE', '/sessions/a', { Host, Origin })).status, 403, Host);
			assert.equal((await web.ask('GET', '/', { Host, Origin: null })).status, 403, Host);
			assert.equal(await web.socket('/list', { host: Host, origin: Origin }), 403, Host);
		}
		assert.ok(existsSync(`${MOUNT}/a`));
		const Host = `localhost:${web.port}`;
		assert.equal((await web.ask('DELETE', '/sessions/a',
			{ Host, Origin: `http://${Host}` })).status, 200);
		assert.ok(!existsSync(`${MOUNT}/a`));
	},

	async one_address(web) {
		const others = Object.values(networkInterfaces()).flat()
			.filter(({ internal }) => !internal).map(({ address }) => address);
		for (const host of ['127.0.0.2', '::1', ...others]) {
			const socket = connect({ host, port: web.port });
			const [error] = await Promise.race([once(socket, 'error'), once(socket, 'connect')]);
			socket.destroy();
			assert.ok(error instanceof Error, `${host} has answered`);
		}
		const port = web.port.toString(16).toUpperCase().padStart(4, '0');
		const listening = ['tcp', 'tcp6'].flatMap(file =>
			readFileSync(`/proc/net/${file}`, 'utf8').split('\n'))
			.map(line => line.trim().split(/\s+/))
			.filter(([, local, , state]) => state === '0A' && local.endsWith(`:${port}`));
		assert.deepEqual(listening.map(([, local]) => local), [`0100007F:${port}`]);
	},

	async names_and_paths(web) {
		make('a');
		const Cookie = `mimobox-${web.port}=${web.pass}`;
		for (const path of ['/../package.json', '/%2e%2e/main.js', '/..%2fmain.js', '/page/index.html',
			'/main.js', '/__proto__', '/constructor', '//page.js', '/%00', '/%', '/page.js/', '/.'])
			assert.ok([400, 404].includes((await web.ask('GET', path,
				{ Authorization: null, Cookie })).status), path);
		for (const name of ['..', '%2e%2e', '.', '.x', 'a%2f..', '..%2fm', 'a%00', 'a%0a', '%',
			'x'.repeat(65), 'a%20b', '']) {
			for (const [method, file] of [['GET', '/cast'], ['GET', '/usage'], ['GET', '/files/'],
				['GET', '/file/x'], ['DELETE', ''], ['POST', '/ctl']]) {
				const body = method === 'POST' ? '{"verb":"kill"}' : undefined;
				const { status } = await web.ask(method, `/sessions/${name}${file}`, { body });
				assert.ok([400, 404].includes(status), `${method} ${name}: ${status}`);
			}
			for (const kind of ['view', 'put']) {
				const status = await web.socket(`/${kind}/${name}`);
				assert.ok([400, 404].includes(status), `${name}: ${status}`);
			}
		}
		for (const name of ['events', 'stats', 'nothing'])
			assert.ok((await web.ask('DELETE', `/sessions/${name}`)).status >= 400);
		assert.deepEqual(readdirSync(MOUNT).sort(), ['a', 'defaults', 'events', 'metrics', 'stats']);
	},

	async what_is_too_much(web) {
		start('a', 'command cat\n');
		const post = body => web.ask('POST', '/sessions', { body: JSON.stringify(body) });
		assert.equal((await post({ name: 'b', command: 'x'.repeat(20000) })).status, 413);
		assert.equal((await post({ name: 'b', command: 'x'.repeat(5000) })).status, 400);
		assert.equal((await post({ name: 'b', command: 'true\nrw /etc' })).status, 400);
		assert.equal((await post({ name: 'b', command: ['x'] })).status, 400);
		for (const memory of ['1M\nrw /etc', '1X', 5, ['1M'], 'x'.repeat(300)])
			assert.equal((await post({ name: 'b', memory })).status, 400);
		assert.ok(!existsSync(`${MOUNT}/b`));
		assert.equal((await post({ name: 'b', memory: '64M', cpu: '0.5', timeout: '90s',
			network: 'none', rw: '/etc' })).status, 201);
		for (const line of ['memory 64M', 'cpu 0.5', 'timeout 90s', 'network none'])
			assert.ok(read('b/config').includes(`\n${line}\n`), line);
		assert.ok(!read('b/config').includes('/etc'));
		rmdirSync(`${MOUNT}/b`);
		assert.equal((await post({ name: '../b' })).status, 400);
		assert.equal((await post({ name: 'a' })).status, 409);
		assert.equal((await web.ask('POST', '/sessions', { body: '{' })).status, 400);
		assert.equal((await web.ask('POST', '/sessions/a/ctl', { body: '{"verb":"stop"}' })).status, 400);
		assert.equal((await web.ask('PUT', '/sessions/a')).status, 404);
		assert.deepEqual(readdirSync(MOUNT).sort(), ['a', 'defaults', 'events', 'metrics', 'stats']);
		for (const name of [{ toString: 1 }, ['x'], 5, true, null, { length: 1 }])
			assert.equal((await post({ name })).status, 400, JSON.stringify(name));
		for (const body of ['null', '5', '[1]', '"x"', '{"command":{"length":1}}', '[]x'])
			assert.equal((await web.ask('POST', '/sessions', { body })).status, 400, body);
		for (const verb of [['start'], { toString: 1 }, null])
			assert.equal((await web.ask('POST', '/sessions/a/ctl',
				{ body: JSON.stringify({ verb }) })).status, 400);
		assert.deepEqual(readdirSync(MOUNT).sort(), ['a', 'defaults', 'events', 'metrics', 'stats']);
		const messages = [[Buffer.alloc(70000), 1009], ['{', 1008], ['{}', 1008], ['null', 1008],
			['{"ack":1e9}', 1008], ['{"ack":-1}', 1008], ['{"size":[0,1]}', 1008],
			['{"size":[1,"1\\n2"]}', 1008], ['{"size":[1,2,3]}', 1008]];
		for (const [message, code] of messages) {
			const socket = await web.socket('/view/a');
			const closed = once(socket, 'close');
			socket.send(message);
			assert.equal((await closed)[0], code, String(message).slice(0, 30));
		}
	},

	async files_of_the_workspace(web) {
		start('a', 'command cat\n');
		const workspace = `${MOUNT}/a/workspace`;
		const get = path => web.ask('GET', `/sessions/a/${path}`);
		const listed = async path => JSON.parse((await get(`files/${path}`)).text).entries
			.map(({ name, path, kind, size }) => [name, path, kind, size]);
		assert.deepEqual(await listed(''), []);
		mkdirSync(`${workspace}/a b`);
		const odd = Buffer.concat([Buffer.from(`${workspace}/a b/`), Buffer.from([0xff, 0x0a, 0x25])]);
		writeFileSync(odd, 'odd');
		execFileSync('mkfifo', [`${workspace}/fifo`]);
		const [first, second] = await listed('');
		assert.deepEqual(first.slice(0, 3), ['a b', 'a%20b', 'directory']);
		assert.deepEqual(second, ['fifo', 'fifo', 'other', 0]);
		assert.deepEqual(await listed('a%20b/'), [['\ufffd?%', '%ff%0a%25', 'file', 3]]);
		const { status, headers, text } = await get('file/a%20b/%ff%0a%25');
		assert.deepEqual([status, text], [200, 'odd']);
		assert.equal(headers['content-disposition'], 'attachment');
		assert.equal(headers['content-type'], 'application/octet-stream');
		// put: a new one, one in the place of another, and none at all
		const bytes = Buffer.alloc(5e6, 'mimobox ');
		for (const content of [bytes, Buffer.from('short'), Buffer.alloc(0)]) {
			assert.deepEqual(await putFile(web, 'a%20b/%e9 new', content), { done: true });
			const file = Buffer.from(`${workspace}/a b/\xe9 new`, 'latin1');
			assert.ok(readFileSync(file).equals(content));
			assert.equal(statSync(file).mode & 0o777, 0o644);
			assert.equal(statSync(file).uid, statSync(workspace).uid);
		}
		for (const [path, trouble] of [['a%20b', /directory/], ['none/f', /no such file/], ['', /not a path/],
			['..', /not a path/], ['a%20b/../f', /not a path/], ['%2fetc', /not a path/], ['%', /not a path/],
			['x%00', /not a path/], ['x'.repeat(300), /ENAMETOOLONG/]])
			assert.match((await putFile(web, path, Buffer.from('x'))).trouble, trouble, path);
		assert.match((await putFile(web, 'f', Buffer.from('more'), 3)).trouble, /more than was told/);
		const socket = await web.socket('/put/a');
		socket.send(JSON.stringify({ path: 'f', size: 100 }));
		socket.send(Buffer.from('less'));
		await until(() => readdirSync(workspace).length === 3, 'it is being put');
		socket.terminate();
		await until(() => readdirSync(workspace).length === 2, 'it leaves nothing');
		const thousand = `${workspace}/thousand`;
		mkdirSync(thousand);
		for (let i = 0; i <= 1000; i++)
			writeFileSync(`${thousand}/${i}`, '');
		const { entries, more } = JSON.parse((await get('files/thousand/')).text);
		assert.deepEqual([entries.length, more], [1000, true]);
	},

	// A program may make any link: none is followed, neither to read nor to write.
	async files_and_links(web) {
		start('a', 'command cat\n');
		const workspace = `${MOUNT}/a/workspace`, outside = `${process.env.D}/outside`;
		mkdirSync(outside);
		writeFileSync(`${outside}/secret`, 'secret');
		symlinkSync(`${outside}/secret`, `${workspace}/link`);
		symlinkSync(outside, `${workspace}/directory`);
		execFileSync('mkfifo', [`${workspace}/fifo`]);
		assert.equal(readFileSync(`${workspace}/directory/secret`, 'utf8'), 'secret');
		for (const path of ['file/link', 'file/directory/secret', 'files/directory/', 'files/link', 'file/fifo',
			'file/directory', 'file/', 'file', 'files/fifo'])
			assert.ok([400, 403].includes((await web.ask('GET', `/sessions/a/${path}`)).status), path);
		for (const path of ['file/../status', 'file/%2e%2e/status', 'files/../', 'files//etc/', 'file/%2fetc%2fpasswd'])
			assert.equal((await web.ask('GET', `/sessions/a/${path}`)).status, 400, path);
		const { text } = await web.ask('GET', '/sessions/a/files/');
		assert.deepEqual(JSON.parse(text).entries.map(({ name, kind }) => [name, kind]),
			[['directory', 'link'], ['fifo', 'other'], ['link', 'link']]);
		assert.match((await putFile(web, 'directory/new', Buffer.from('x'))).trouble, /link/);
		assert.deepEqual(await putFile(web, 'link', Buffer.from('put')), { done: true });
		assert.ok(lstatSync(`${workspace}/link`).isFile());
		assert.equal(readFileSync(`${outside}/secret`, 'utf8'), 'secret');
		assert.deepEqual(readdirSync(outside), ['secret']);
	},

	// Each has a process, which goes with it.
	async a_hundred_come_and_go(web) {
		start('a', 'command echo ready; cat\n');
		const first = await Watcher.open(web, 'a');
		await until(() => first.text.includes('ready'));
		await until(() => first.told.lead, 'one that answers'); // by a descriptor of its own
		const before = [web.children().length, web.descriptors()];
		for (let round = 0; round < 10; round++) {
			const ten = await Promise.all(Array.from({ length: 10 }, () => Watcher.open(web, 'a')));
			if (round % 2)
				await until(() => ten.every(each => each.told.live), 'ten that see all');
			await Promise.all(ten.map(each => each.close()));
		}
		const after = () => [web.children().length, web.descriptors()];
		await until(() => after().every((count, i) => count <= before[i]), 'what was before');
		assert.match(read('a/status'), /^readers 1$/m);
		await first.close();
	},

	// Bytes are gone before they are read, again and again: that is a gap, and not the end.
	async a_flood_that_drops(web) {
		start('a', 'retain 64K\noverflow drop\ncommand read x; yes | head -c 60000000; echo "the end"; cat\n');
		const all = await Promise.all(Array.from({ length: 30 }, () => Watcher.open(web, 'a')));
		await until(() => all.every(each => each.told.live), 'all that see it');
		all[0].socket.send(Buffer.from('\r'));
		await until(() => all.every(each => each.text.includes('the end')), 'the end');
		assert.ok(all.every(each => each.socket.readyState === 1 && !each.told.over));
		assert.ok(all.some(each => each.told.skipped > 0), 'no gap was told');
		all[0].socket.send(Buffer.from('still\r'));
		await until(() => all.every(each => each.text.includes('still')), 'what comes later');
	},

	// The last of many sizes counts; none is larger than an emulator bears.
	async sizes_that_are_too_many(web) {
		start('a', 'command cat\n');
		const watcher = await Watcher.open(web, 'a');
		await until(() => watcher.told.live);
		for (let i = 0; i < 10000; i++)
			watcher.socket.send(`{"size":[${20 + i % 50},${80 + i % 7}]}`);
		watcher.socket.send('{"size":[33,99]}');
		watcher.socket.send(Buffer.from('typed\r'));
		await until(() => watcher.text.includes('typed'), 'what was typed behind them');
		await until(() => read('a/size') === '33 99\n', 'the last one');
		assert.ok(watcher.sizes < 2000, `${watcher.sizes}`);
		put('a/size', '65535 65535\n');
		watcher.socket.send(Buffer.from('more\r'));
		await until(() => String(watcher.told.size) === '500,1000', `bounds: ${watcher.told.size}`);
		watcher.socket.send('{"size":[40000,70000]}');
		await until(() => read('a/size') === '500 1000\n', 'a bounded one');
	},

	// Silent connections do not keep out the owner of the key, and are closed after a time.
	async idle_connections(web) {
		start('a', 'command cat\n');
		const watcher = await Watcher.open(web, 'a');
		const idle = Array.from({ length: 300 }, () => connect({ host: '127.0.0.1', port: web.port }));
		let gone = 0;
		for (const socket of idle)
			socket.on('error', () => {}).resume().once('close', () => gone++);
		await until(() => gone >= 200, 'room for others');
		const Cookie = `mimobox-${web.port}=${web.pass}`;
		assert.equal((await web.ask('GET', '/page.js', { Authorization: null, Cookie })).status, 200);
		assert.equal((await web.ask('POST', '/sessions/a/ctl', { body: '{"verb":"x"}' })).status, 400);
		assert.ok((await Watcher.open(web, 'a')).socket.readyState === 1);
		assert.ok(gone < 300, 'they were not idle long enough to go');
		await until(() => gone === 300, 'the end of all that are idle');
		assert.equal(watcher.socket.readyState, 1);
	},

	// As much as a page must not send: nothing is kept of it.
	async a_paste_without_end(web) {
		start('a', 'command sleep 1000\n');
		const watcher = await Watcher.open(web, 'a');
		await until(() => watcher.told.live);
		const before = web.peak();
		const closed = once(watcher.socket, 'close');
		for (let i = 0; i < 3200; i++)
			watcher.socket.send(Buffer.alloc(32 * 1024));
		assert.ok([1006, 1009].includes((await closed)[0]));
		assert.ok(web.peak() - before < 150e6, `${web.peak() - before}`);
		assert.ok((await Watcher.open(web, 'a')).socket.readyState === 1);
	},

	// What another has written as a command turns nothing round in the list.
	async commands_as_text(web) {
		start('a', 'command echo \u202etxt.exe\u2066 \x1b[1m\n');
		const told = [];
		await web.socket('/list', { hear: data => told.push(JSON.parse(data)) });
		// A list that was made between mkdir and the config has the default at first.
		const last = () => told.flatMap(message => message.sessions ?? message.session)
			.findLast(one => one?.name === 'a')?.command;
		await until(() => last() && last() !== '["/bin/sh"]', 'the session in the list');
		assert.equal(last(), 'echo ?txt.exe? ?[1m');
	},

	// Who answers nothing holds up no program, and sees the end of it later.
	async one_that_sleeps(web) {
		start('a', 'retain 1M\ncommand read x; seq 1000000; echo "the end"; read x\n');
		const sleeper = await Watcher.open(web, 'a', true);
		const other = await Watcher.open(web, 'a');
		await until(() => sleeper.told.live && other.told.live);
		other.socket.send(Buffer.from('\r'));
		await until(() => other.text.includes('the end'), 'the end');
		assert.ok(!sleeper.text.includes('the end') && sleeper.bytes < 1e6, `${sleeper.bytes}`);
		sleeper.sleeps = false;
		sleeper.acknowledge();
		await until(() => sleeper.text.includes('the end'), 'the end, later');
		assert.ok(sleeper.text.includes('\n999999\r\n1000000\r\nthe end'));
	},

	// Much output, or the oldest gone: the modes are there, and the screen is drawn anew.
	async modes_outlast_output(web) {
		const fill = 'yes "$(printf "\\\\033[2;2Hsome \\\\033[1mtext")" | tr -d "\\\\n" | head -c 12000000';
		for (const retain of ['1M', '64M']) {
			const script = `trap "printf drawn-anew" WINCH; printf "\\033[?1049h\\033[?1h\\033[?1000h"
				${fill.replaceAll('\\\\', '\\')}; printf end; while :; do sleep 0.05; done`;
			start(retain, `retain ${retain}\nargv ${JSON.stringify(['bash', '-c', script])}\n`);
			read(`${retain}/wait/match@0:end`);
			const watcher = await Watcher.open(web, retain);
			await until(() => watcher.text.includes('drawn-anew'), 'a screen that is drawn anew');
			const [before] = watcher.all.split('some');
			for (const mode of ['1049', '1', '1000'])
				assert.ok(before.includes(`\x1b[?${mode}h`), `${retain}: ${JSON.stringify(before)}`);
			assert.ok(watcher.bytes < 2e6, `${watcher.bytes}`);
			await watcher.close();
		}
	},

	// Nothing limits the time of a connection that has asked for a WebSocket.
	async refused_ones_are_not_waited_for(web) {
		const before = web.descriptors();
		const asked = `GET /list HTTP/1.1\r\nHost: ${web.host}\r\nConnection: Upgrade\r\n` +
			'Upgrade: websocket\r\n\r\n';
		const all = Array.from({ length: 300 }, () =>
			connect({ host: '127.0.0.1', port: web.port, allowHalfOpen: true }));
		for (const socket of all)
			socket.on('error', () => {}).resume().write(asked);
		await until(() => all.every(socket => socket.readableEnded || socket.destroyed), 'refusals');
		await until(() => web.descriptors() <= before, 'what was before');
		assert.equal((await web.ask('GET', '/sessions')).status, 404);
		all.forEach(socket => socket.destroy());
	},

	// A session goes while its size changes: its viewers hear of it, and no other does.
	async removed_while_resized(web) {
		make('other');
		for (let round = 0; round < 20; round++) {
			start('a', 'command sleep 60\n');
			const three = await Promise.all([1, 2, 3].map(() => Watcher.open(web, 'a')));
			await until(() => three.every(each => each.told.live), 'three that see all');
			const first = once(three[0].socket, 'message');
			for (let rows = 20; rows < 80; rows++)
				three.forEach(({ socket }) => socket.send(`{"size":[${rows},80]}`));
			await first;
			rmdirSync(`${MOUNT}/a`);
			await until(() => three.every(each => each.told.over), 'the end');
			await Promise.all(three.map(each => each.close()));
		}
		assert.ok((await Watcher.open(web, 'other')).socket);
		assert.equal(web.child.exitCode, null);
	},

	async the_mount_ends(web) {
		start('a', 'command cat\n');
		const watcher = await Watcher.open(web, 'a');
		await until(() => watcher.told.live);
		process.kill(Number(process.env.DAEMON), 'SIGTERM');
		assert.equal((await once(web.child, 'exit'))[0], 1);
	},
};
