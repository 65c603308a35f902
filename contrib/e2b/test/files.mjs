// SPDX-License-Identifier: MIT
// Files, as the SDK's documents use them.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { FileNotFoundError, InvalidArgumentError, Sandbox } from 'e2b';
import { fails, factor, until, within } from './server.mjs';

export const write_and_read = () =>
	within(Sandbox, async (sandbox) => {
		const info = await sandbox.files.write('/home/user/dir/test.txt', 'content');
		assert.deepEqual([info.name, info.type, info.path], ['test.txt', 'file', '/home/user/dir/test.txt']);
		assert.equal(await sandbox.files.read('/home/user/dir/test.txt'), 'content');
		assert.equal((await sandbox.commands.run('cat dir/test.txt')).stdout, 'content');
		await sandbox.files.write('relative', 'x');
		assert.equal(await sandbox.files.read('/home/user/relative'), 'x');
		await sandbox.files.write('relative', 'shorter');
		assert.equal(await sandbox.files.read('relative'), 'shorter');
		await sandbox.files.write('empty', '');
		assert.equal(await sandbox.files.read('empty'), '');
		assert.deepEqual(await sandbox.files.read('empty', { format: 'bytes' }), new Uint8Array(0));
	});

export const bytes_of_every_kind = () =>
	within(Sandbox, async (sandbox) => {
		const data = Uint8Array.from({ length: 70_000 }, (_, at) => at % 251);
		await sandbox.files.write('/tmp/a "b" ü\r\n--x', data.buffer);
		const back = await sandbox.files.read('/tmp/a "b" ü\r\n--x', { format: 'bytes' });
		assert.deepEqual(back, data);
		const blob = await sandbox.files.read('/tmp/a "b" ü\r\n--x', { format: 'blob' });
		assert.equal(blob.size, data.length);
		await sandbox.files.write('packed', 'text '.repeat(10_000), { gzip: true });
		assert.equal(await sandbox.files.read('packed'), 'text '.repeat(10_000));
	});

export const several = () =>
	within(Sandbox, async (sandbox) => {
		const files = await sandbox.files.write([
			{ path: 'one', data: '1' },
			{ path: '/tmp/two', data: '\r\n--two\r\n' },
			{ path: 'a/b/c/three', data: 'x'.repeat(200_000) },
		]);
		assert.deepEqual(
			files.map(({ path }) => path),
			['/home/user/one', '/tmp/two', '/home/user/a/b/c/three'],
		);
		assert.equal(await sandbox.files.read('/tmp/two'), '\r\n--two\r\n');
		assert.equal((await sandbox.files.read('a/b/c/three')).length, 200_000);
	});

export const a_hundred_megabytes = () =>
	within(Sandbox, async (sandbox) => {
		const [pieces, piece] = [100, randomBytes(1 << 20)];
		const hash = createHash('sha256');
		const stream = new ReadableStream({
			count: 0,
			pull(controller) {
				if (this.count++ === pieces) {
					controller.close();
					return;
				}
				hash.update(piece);
				controller.enqueue(new Uint8Array(piece));
			},
		});
		const requestTimeoutMs = 60_000 * factor;
		await sandbox.files.write('/tmp/../workspace/big', stream, { requestTimeoutMs });
		const sum = hash.digest('hex');
		const told = await sandbox.commands.run('sha256sum < /workspace/big', { timeoutMs: requestTimeoutMs });
		assert.equal(told.stdout.split(' ')[0], sum);
		const back = createHash('sha256');
		let size = 0;
		for await (const part of await sandbox.files.read('/workspace/big', { format: 'stream', requestTimeoutMs })) {
			back.update(part);
			size += part.length;
		}
		assert.equal(size, pieces * piece.length);
		assert.equal(back.digest('hex'), sum);
	});

export const directories = () =>
	within(Sandbox, async (sandbox) => {
		assert.equal(await sandbox.files.makeDir('d/e/f'), true);
		assert.equal(await sandbox.files.makeDir('d/e/f'), false);
		await sandbox.files.write('d/file', 'four');
		await sandbox.commands.run('ln -s file d/link; ln -s nothing d/broken; chmod 640 d/file');
		const names = (entries) => entries.map(({ name }) => name);
		assert.deepEqual(names(await sandbox.files.list('d')), ['broken', 'e', 'file', 'link']);
		assert.deepEqual(names(await sandbox.files.list('d', { depth: 3 })), ['broken', 'e', 'f', 'file', 'link']);
		const [broken, e, file, link] = await sandbox.files.list('/home/user/d');
		assert.deepEqual(
			[file.type, file.path, file.size, file.mode, file.permissions],
			['file', '/home/user/d/file', 4, 0o640, '-rw-r-----'],
		);
		assert.equal(e.type, 'dir');
		assert.deepEqual([link.type, link.symlinkTarget], ['file', '/home/user/d/file']);
		assert.equal(broken.type, 'symlink');
		assert(Math.abs(file.modifiedTime - Date.now()) < 600_000);
		await fails(sandbox.files.list('d/file'), InvalidArgumentError, 'not a directory');
		await fails(sandbox.files.list('nothing'), FileNotFoundError);
		await fails(sandbox.files.makeDir('d/file'), InvalidArgumentError);
	});

export const rename_and_remove = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.files.write('old', 'x');
		const info = await sandbox.files.rename('old', 'new/name');
		assert.equal(info.path, '/home/user/new/name');
		assert.equal(await sandbox.files.exists('old'), false);
		assert.equal(await sandbox.files.exists('new/name'), true);
		assert.equal((await sandbox.files.getInfo('new')).type, 'dir');
		await sandbox.files.remove('new');
		assert.equal(await sandbox.files.exists('new'), false);
		await sandbox.files.remove('new');
		await fails(sandbox.files.rename('old', 'x'), FileNotFoundError);
		await fails(sandbox.files.getInfo('old'), FileNotFoundError);
	});

export const what_cannot_be_read_or_written = () =>
	within(Sandbox, async (sandbox) => {
		await fails(sandbox.files.read('nothing'), FileNotFoundError);
		await fails(sandbox.files.read('/tmp'), InvalidArgumentError, 'directory');
		await fails(sandbox.files.write('/tmp', 'x'), InvalidArgumentError, 'directory');
		await fails(sandbox.files.write('/usr/x', 'x'), Error, 'Read-only');
		await sandbox.commands.run('mkfifo fifo');
		await fails(sandbox.files.read('fifo'), InvalidArgumentError, 'regular');
		await fails(sandbox.files.read('/dev/zero'), InvalidArgumentError, 'regular');
		await fails(sandbox.files.write('big', 'x'.repeat(8 << 20)), Error, 'No space') // by file-size
			.catch((error) => assert(error, 'no bound of a file where none is set'));
	});

/** A link that a program laid leads where it leads in the sandbox, never on the host. */
export const links_stay_inside = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.commands.run('ln -s /etc/hostname name; ln -s /root secret');
		assert.equal(await sandbox.files.read('name'), (await sandbox.commands.run('cat /etc/hostname')).stdout);
		await fails(sandbox.files.list('secret'), Error);
		await sandbox.commands.run('ln -s /tmp/target out');
		await sandbox.files.write('out', 'inside');
		assert.equal((await sandbox.commands.run('cat /tmp/target')).stdout, 'inside');
	});

export const watch = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.files.makeDir('watched');
		const events = [];
		const handle = await sandbox.files.watchDir('watched', (event) => void events.push(`${event.type} ${event.name}`));
		const come = (event) => until(() => events.includes(event), () => `${event}: ${events}`);
		await sandbox.files.write('watched/file', 'x');
		await come('create file');
		await come('write file');
		await sandbox.commands.run('chmod 600 watched/file');
		await come('chmod file');
		await sandbox.files.rename('watched/file', 'watched/other');
		await come('rename file');
		await come('create other');
		await sandbox.files.remove('watched/other');
		await come('remove other');
		await handle.stop();
		await fails(sandbox.files.watchDir('nothing', () => {}), FileNotFoundError);
	});

export const watch_below = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.files.makeDir('watched/a');
		const events = [];
		const handle = await sandbox.files.watchDir('watched', (event) => void events.push(`${event.type} ${event.name}`), { recursive: true });
		await sandbox.files.write('watched/a/file', 'x');
		await until(() => events.includes('create a/file'), () => `${events}`);
		await sandbox.files.makeDir('watched/b');
		await until(() => events.includes('create b'), () => `${events}`);
		await sandbox.files.write('watched/b/file', 'x');
		await until(() => events.includes('write b/file'), () => `${events}`);
		await handle.stop();
	});

/** An address that somebody without the SDK can use. */
export const signed_addresses = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.files.write('given', 'to anybody');
		const url = await sandbox.downloadUrl('given', { useSignatureExpiration: 60 });
		assert.equal(await (await fetch(url)).text(), 'to anybody');
		assert.equal((await fetch(url.replace('given', 'other'))).status, 401);
		const form = new FormData();
		form.append('file', new Blob(['from anybody']), 'x');
		const up = await fetch(await sandbox.uploadUrl('taken', {}), { method: 'POST', body: form });
		assert.equal(up.status, 200, await up.text());
		assert.equal(await sandbox.files.read('taken'), 'from anybody');
	});
