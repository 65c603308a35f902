// SPDX-License-Identifier: MIT
// A file that blocks at its end, as a stream of Node's.
//
// A read that waits keeps one of libuv's four threads, and libuv polls no descriptor that fstat()
// calls a file. So a child of its own waits: its pipe is what Node waits for best, and when nobody
// takes from that, the child takes no more from the file. It goes with this process, however that
// ends.
import { spawn } from 'node:child_process';

const PIECE = '128K';
// More than a child, its pipe and its stream hold at a time of what is not yet taken.
export const HELD = 512 * 1024;

// Takes over an open file, and reads from the byte at `offset`. Ended by destroy().
export async function follow(file, offset = 0) {
	const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'dd', `bs=${PIECE}`,
		'iflag=skip_bytes', `skip=${offset}`, 'status=none'],
	{ stdio: [file.fd, 'pipe', 'ignore'], env: { PATH: process.env.PATH, LC_ALL: 'C' } });
	const over = new Promise(resolve => {
		child.once('error', () => resolve(-1));
		child.once('exit', code => resolve(code ?? -1));
	});
	// Without a listener Node throws away what is not yet read when the child ends.
	child.stdout.on('readable', () => {});
	await file.close();
	return {
		chunks: child.stdout,
		over, // 0 at the file's end; anything else was an error, or destroy()
		destroy() {
			child.kill('SIGKILL');
			child.stdout.destroy();
		},
	};
}
