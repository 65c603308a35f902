// SPDX-License-Identifier: MIT
// Commands, as the SDK's documents use them.

import assert from 'node:assert/strict';
import { CommandExitError, NotFoundError, Sandbox, TimeoutError } from 'e2b';
import { fails, factor, until, within } from './server.mjs';

export const foreground = () =>
	within(Sandbox, async (sandbox) => {
		const lines = [];
		const result = await sandbox.commands.run('echo one; echo two >&2; echo ünï', {
			onStdout: (text) => void lines.push(text),
		});
		assert.equal(result.exitCode, 0);
		assert.equal(result.stdout, 'one\nünï\n');
		assert.equal(result.stderr, 'two\n');
		assert.equal(lines.join(''), result.stdout);
	});

export const exit_status = () =>
	within(Sandbox, async (sandbox) => {
		const error = await fails(sandbox.commands.run('echo out; exit 3'), CommandExitError);
		assert.equal(error.exitCode, 3);
		assert.equal(error.stdout, 'out\n');
		const killed = await fails(sandbox.commands.run('kill -9 $$'), CommandExitError);
		assert.equal(killed.exitCode, -1);
		assert.equal(killed.error, 'signal: killed');
	});

export const environment_and_directory = () =>
	within(
		Sandbox,
		async (sandbox) => {
			const show = (text, options) =>
				sandbox.commands.run(text, options).then((result) => result.stdout.trim());
			assert.equal(await show('echo $ALL'), 'sandbox');
			assert.equal(await show('echo $ALL $ONE', { envs: { ONE: '1 "2"', ALL: 'x' } }), 'x 1 "2"');
			assert.equal(await show('pwd'), await show('echo $HOME'));
			assert.equal(await show('pwd', { cwd: '/tmp' }), '/tmp');
			await fails(sandbox.commands.run('pwd', { cwd: '/nothing' }), Error, 'does not exist');
			const id = await show('id -u');
			assert.notEqual(id, '0');
			assert.equal(await show('id -u', { user: 'user' }), id);
			await fails(sandbox.commands.run('id', { user: 'root' }), Error, 'not served');
		},
		{ envs: { ALL: 'sandbox' } },
	);

export const background_and_kill = () =>
	within(Sandbox, async (sandbox) => {
		const command = await sandbox.commands.run('echo started; sleep 1000', { background: true });
		await until(() => command.stdout === 'started\n', 'it has started');
		const listed = await sandbox.commands.list();
		assert.deepEqual(
			listed.map(({ pid, cmd, args }) => ({ pid, cmd, args })),
			[{ pid: command.pid, cmd: '/bin/bash', args: ['-l', '-c', 'echo started; sleep 1000'] }],
		);
		assert.equal(await command.kill(), true);
		await fails(command.wait(), CommandExitError);
		assert.equal(await sandbox.commands.kill(command.pid), false);
		assert.deepEqual(await sandbox.commands.list(), []);
		await fails(sandbox.commands.connect(command.pid), NotFoundError);
	});

export const input = () =>
	within(Sandbox, async (sandbox) => {
		const command = await sandbox.commands.run('cat; echo end', { background: true, stdin: true });
		await command.sendStdin('one\n');
		await until(() => command.stdout === 'one\n', 'it comes at once');
		await sandbox.commands.sendStdin(command.pid, 'two\n');
		await command.closeStdin();
		assert.equal((await command.wait()).stdout, 'one\ntwo\nend\n');
		// Without input it is at its end.
		assert.equal((await sandbox.commands.run('cat; echo end')).stdout, 'end\n');
	});

export const reconnect = () =>
	within(Sandbox, async (sandbox) => {
		const command = await sandbox.commands.run(
			'while read line; do echo "got $line"; done; exit 7',
			{ background: true, stdin: true },
		);
		await command.disconnect();
		const other = await Sandbox.connect(sandbox.sandboxId);
		const again = await other.commands.connect(command.pid);
		await again.sendStdin('hello\n');
		await until(() => again.stdout === 'got hello\n', 'the other is told');
		assert.equal(command.stdout, '');
		await again.closeStdin();
		assert.equal((await fails(again.wait(), CommandExitError)).exitCode, 7);
	});

/** A command that was given so long is killed, as there. */
export const timeout = () =>
	within(Sandbox, async (sandbox) => {
		await fails(
			sandbox.commands.run('sleep 1000', { timeoutMs: 300 }),
			TimeoutError,
			'timeoutMs',
		);
		await until(async () => (await sandbox.commands.list()).length === 0, 'it is killed');
	});

/** Processes, /tmp, and what listens on the loopback. */
export const processes_share_the_sandbox = () =>
	within(Sandbox, async (sandbox) => {
		const python = (text, options) => sandbox.commands.run(`python3 -u -c '${text}'`, options);
		const listener = await python(
			'import socket as s; l = s.socket(s.AF_INET, s.SOCK_DGRAM); l.bind(("127.0.0.1", 3000));' +
				'print("ready"); print(l.recv(9).decode()); open("/tmp/heard", "w").write("it")',
			{ background: true, timeoutMs: 0 },
		);
		await until(() => listener.stdout.includes('ready'), () => listener.stderr);
		await python(
			'import socket as s; s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", 3000))',
		);
		assert.equal((await listener.wait()).stdout, 'ready\nhello\n');
		assert.equal(await sandbox.files.read('/tmp/heard'), 'it');
		const sleeper = await sandbox.commands.run('exec sleep 1000', { background: true });
		await sandbox.commands.run(`kill ${sleeper.pid}`);
		await fails(sleeper.wait(), CommandExitError, 'terminated');
	});

/** As the documents do it; where the sessions of the mount may listen. */
export const a_server_in_the_sandbox = () =>
	within(Sandbox, async (sandbox) => {
		const may = await sandbox.commands.run(
			'python3 -c "import socket; socket.socket().bind((\'127.0.0.1\', 0))"; echo $?',
		);
		if (may.stdout !== '0\n') {
			assert.match(may.stderr, /PermissionError/);
			return;
		}
		const server = await sandbox.commands.run('python3 -m http.server 3000', {
			background: true,
			cwd: '/tmp',
			timeoutMs: 0,
		});
		await sandbox.files.write('/tmp/page', 'a page');
		const ask = `python3 -c 'from urllib.request import urlopen as u; print(u("http://127.0.0.1:3000/page").read().decode())'`;
		let asked;
		await until(async () => {
			asked = await sandbox.commands.run(`${ask} || :`);
			return asked.stdout;
		}, () => `the server answers: ${server.stderr}\n${asked.stderr}`);
		assert.equal(asked.stdout, 'a page\n');
		await server.kill();
	});

/** One that leaves others behind with its output has ended all the same. */
export const what_stays_behind = () =>
	within(Sandbox, async (sandbox) => {
		const result = await sandbox.commands.run('sleep 1000 & echo done');
		assert.equal(result.stdout, 'done\n');
		assert.match((await sandbox.commands.run('ps -e || :')).stdout, /sleep|^$/);
	});

export const many_at_a_time = () =>
	within(Sandbox, async (sandbox) => {
		const numbers = Array.from({ length: 30 }, (_, number) => number);
		const results = await Promise.all(
			numbers.map((number) => sandbox.commands.run(`echo ${number}; echo ${-number} >&2`)),
		);
		for (const number of numbers) {
			assert.equal(results[number].stdout, `${number}\n`);
			assert.equal(results[number].stderr, `${-number}\n`);
		}
	});

export const a_hundred_megabytes = () =>
	within(Sandbox, async (sandbox) => {
		let size = 0;
		let zeros = 0;
		await sandbox.commands.run("head -c 104857600 /dev/zero | tr '\\0' 0", {
			timeoutMs: 100_000 * factor,
			onStdout: (text) => {
				size += text.length;
				zeros += text[0] === '0' && text[text.length - 1] === '0';
			},
		});
		assert.equal(size, 104857600);
		assert(zeros > 100);
	});

/** A client that does not read holds up nobody but itself. */
export const one_that_is_not_read = () =>
	within(Sandbox, async (sandbox) => {
		const flood = await sandbox.commands.run('yes', {
			background: true,
			timeoutMs: 0,
			onStdout: () => new Promise(() => {}),
		});
		for (let i = 0; i < 5; i++)
			assert.equal((await sandbox.commands.run('echo still')).stdout, 'still\n');
		await flood.kill();
	});
export const git = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.git.init('repo', { initialBranch: 'main' });
		await sandbox.files.write('repo/file', 'text');
		await sandbox.git.add('repo');
		await sandbox.git.commit('repo', 'first', { authorName: 'a', authorEmail: 'a@b' });
		const status = await sandbox.git.status('repo');
		assert.equal(status.currentBranch, 'main');
		assert.equal(status.isClean, true);
	});
