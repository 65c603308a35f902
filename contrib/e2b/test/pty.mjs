// SPDX-License-Identifier: MIT
// Terminals.

import assert from 'node:assert/strict';
import { Sandbox } from 'e2b';
import { until, within } from './server.mjs';

export const terminal = () =>
	within(Sandbox, async (sandbox) => {
		let shown = '';
		const decoder = new TextDecoder();
		const terminal = await sandbox.pty.create({
			cols: 90,
			rows: 30,
			timeoutMs: 0,
			envs: { ABC: '123' },
			onData: (data) => void (shown += decoder.decode(data, { stream: true })),
		});
		const type = (text) => sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode(text));
		const shows = (text) => until(() => shown.includes(text), () => `${text} in ${JSON.stringify(shown)}`);
		await type('echo $ABC-$TERM; stty size; tty\n');
		await shows('123-xterm-256color\r\n30 90\r\n/dev/pts/');
		await sandbox.pty.resize(terminal.pid, { cols: 100, rows: 40 });
		await type('stty size\n');
		await shows('40 100\r\n');
		await type('echo rea""dy; sleep 1000\n');
		await shows('ready\r\n');
		await type('\x03');
		await shows('^C');
		await type('echo af""ter\n');
		await shows('after\r\n');
		await type('exit\n');
		assert.equal((await terminal.wait()).exitCode, 0);
	});

export const reconnect_and_kill = () =>
	within(Sandbox, async (sandbox) => {
		let shown = '';
		const terminal = await sandbox.pty.create({ cols: 80, rows: 24, timeoutMs: 0, onData: () => {} });
		await terminal.disconnect();
		const again = await sandbox.pty.connect(terminal.pid, {
			timeoutMs: 0,
			onData: (data) => void (shown += Buffer.from(data).toString()),
		});
		await sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode('echo $((20+22))\n'));
		await until(() => shown.includes('42\r\n'), shown);
		assert.equal(await sandbox.pty.kill(terminal.pid), true);
		await again.wait().catch((error) => assert.equal(error.exitCode, -1));
		assert.equal(await sandbox.pty.kill(terminal.pid), false);
	});
