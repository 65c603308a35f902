// SPDX-License-Identifier: MIT
// A small process that outlives the server by a moment and removes its sessions: however the server
// ends, the pipe between them does. In a session (setsid) of its own, no key's signal reaches it.
//
// A session is made by a thread of the server, and the pipe ends only when all threads have: so
// there is none that the keeper could be too early for.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Mount } from './mount.js';

const SCRIPT = `trap '' HUP INT QUIT TERM
while read -r line; do :; done
for session in "$1"*; do rmdir "$session"; done`;

export class Keeper {
	private child: ChildProcess | undefined;
	private ending = false;

	constructor(private readonly mount: Mount) {}

	async start(): Promise<void> {
		const child = spawn(
			'/bin/sh',
			['-c', SCRIPT, 'keeper', this.mount.path + '/' + this.mount.prefix],
			{
				cwd: '/',
				detached: true,
				stdio: ['pipe', 'ignore', 'ignore'],
			},
		);
		child.stdin?.on('error', () => {});
		await once(child, 'spawn');
		this.child = child;
		// Killed by somebody: the sessions are still to be kept.
		child.once('exit', () => {
			if (!this.ending) this.start().catch(() => process.kill(process.pid, 'SIGTERM'));
		});
	}

	/** Removes the sessions. */
	async end(): Promise<void> {
		this.ending = true;
		if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null)
			await this.start();
		const exited = once(this.child as ChildProcess, 'exit');
		this.child?.stdin?.end();
		await exited;
	}
}
