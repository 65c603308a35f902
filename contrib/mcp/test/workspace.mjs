// SPDX-License-Identifier: MIT
// Files of the workspace, also where the program in the sandbox would lead them elsewhere.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { agent, factor } from './agent.mjs';

const SECRET = 'what only the outside has';

/** A directory outside with a secret that root or the user can read, and no sandbox. */
async function withOutside(use) {
	const outside = mkdtempSync('/var/tmp/mcp-');
	writeFileSync(`${outside}/secret`, SECRET);
	try {
		await agent((a) => use(a, outside));
		assert.deepEqual(readdirSync(outside), ['secret']);
		assert.equal(readFileSync(`${outside}/secret`, 'utf8'), SECRET);
	} finally {
		rmSync(outside, { recursive: true });
	}
}

export const put_and_get = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { cwd: '/workspace' });
		const bytes = Buffer.from(Array.from({ length: 70000 }, (_, i) => (i * 7) % 256));
		await a.call('put_file', {
			session,
			path: 'd/e/bytes',
			content: bytes.toString('base64'),
			encoding: 'base64',
		});
		const got = [];
		for (let offset = 0, piece = { more: true }; piece.more; offset = piece.next_offset) {
			piece = await a.call('get_file', {
				session,
				path: '/workspace/d/e/bytes',
				offset,
				max_bytes: 30000,
			});
			assert.deepEqual([piece.encoding, piece.size], ['base64', 70000]);
			got.push(Buffer.from(piece.content, 'base64'));
		}
		assert.ok(got.length === 4 && Buffer.concat(got).equals(bytes));

		await a.call('put_file', {
			session,
			path: 'run',
			content: '#!/bin/sh\necho ran >> d/e/log; rm d/e/bytes; echo x >> run; echo d"o"ne\n',
			executable: true,
		});
		await a.call('send_input', { session, text: './run', keys: ['enter'] });
		await a.call('wait', { session, pattern: 'done' });
		await a.call('put_file', { session, path: 'd/e/log', content: 'ä\n', append: true });
		assert.equal((await a.call('get_file', { session, path: 'd/e/log' })).content, 'ran\nä\n');
		const { entries } = await a.call('get_file', { session, path: '.' });
		assert.deepEqual(
			entries.filter((name) => !name.startsWith('.')),
			['d/', 'run'],
		);
		assert.deepEqual((await a.call('get_file', { session, path: 'd/e' })).entries, ['log']);
		assert.deepEqual(
			[
				(
					await a.call('get_file', {
						session,
						path: 'd/e/log',
						max_bytes: 16,
						offset: 4,
					})
				).content,
			],
			['ä\n'],
		);

		await a.call('send_input', {
			session,
			text: 'mkdir many; cd many; seq 600 | xargs touch; cd ..; echo ma"d"e',
			keys: ['enter'],
		});
		await a.call('wait', { session, pattern: 'made' });
		const many = await a.call('get_file', { session, path: 'many' });
		assert.deepEqual([new Set(many.entries).size, many.more], [500, true]);

		for (const path of ['../x', 'd/../../x', '/etc/passwd', '/workspaces/x']) {
			assert.match(await a.fails('get_file', { session, path }), /not below \/workspace/);
			assert.match(
				await a.fails('put_file', { session, path, content: '' }),
				/not below \/workspace/,
			);
		}
		assert.match(
			await a.fails('get_file', { session, path: 'nothing' }),
			/there is no 'nothing'/,
		);
		assert.match(
			await a.fails('put_file', { session, path: 'x', content: '%', encoding: 'base64' }),
			/not base64/,
		);
	});

export const planted_links = () =>
	withOutside(async (a, outside) => {
		const { session } = await a.call('start_session', {
			cwd: '/workspace',
			command: `ln -s ${outside}/secret file; ln -s ${outside} dir; ln -s ${outside}/new new; ln -s . self; mkfifo fifo; ln -s /proc/self/cwd cwd; echo pla"n"ted; sleep 1000`,
		});
		await a.call('wait', { session, pattern: 'planted' });
		for (const path of ['file', 'dir/secret', 'dir', 'self/file', 'cwd', 'cwd/x'])
			assert.match(await a.fails('get_file', { session, path }), /links are not followed/);
		for (const append of [true, false])
			for (const path of ['dir/secret', 'dir/sub/file', 'self/x'])
				assert.match(
					await a.fails('put_file', { session, path, content: 'gone', append }),
					/links are not followed/,
				);
		for (const path of ['file', 'new']) {
			assert.match(
				await a.fails('put_file', { session, path, content: 'gone', append: true }),
				/links are not followed/,
			);
			await a.call('put_file', { session, path, content: 'put' });
			assert.equal((await a.call('get_file', { session, path })).content, 'put');
		}
		assert.match(await a.fails('get_file', { session, path: 'fifo' }), /no regular file/);
		assert.match(
			await a.fails('put_file', { session, path: 'fifo', content: 'x', append: true }),
			/no regular file/,
		);
		const { entries } = await a.call('get_file', { session, path: '.' });
		assert.ok(entries.includes('dir') && entries.includes('file'));
	});

/** A directory that is a link half of the time, and a file likewise. */
export const links_swapped_meanwhile = () =>
	withOutside(async (a, outside) => {
		const swap = `import ctypes, os
libc = ctypes.CDLL(None)
os.makedirs('d'); open('d/secret', 'w').write('inside')
open('f', 'w').write('inside')
os.symlink('${outside}', 'd2'); os.symlink('${outside}/secret', 'f2')
print('swap' + 'ping', flush=True)
while True:
    for x in ('d', 'f'):
        if libc.renameat2(-100, x.encode(), -100, (x + '2').encode(), 2): raise SystemExit('no renameat2')
`;
		const { session } = await a.call('start_session', {
			cwd: '/workspace',
			command: 'while [ ! -f go ]; do sleep 0.01; done; python3 swap.py',
		});
		await a.call('put_file', { session, path: 'swap.py', content: swap });
		await a.call('put_file', { session, path: 'go', content: '' });
		assert.equal((await a.call('wait', { session, pattern: 'swapping' })).waited_for, 'match');
		const seen = { inside: 0, refused: 0, put: 0 };
		const end = Date.now() + 2500;
		while (Date.now() < end || Object.values(seen).includes(0)) {
			assert.ok(Date.now() < end + 10000 * factor, JSON.stringify(seen));
			const results = await Promise.all([
				a.request('get_file', { session, path: 'd/secret' }),
				a.request('get_file', { session, path: 'f' }),
				a.request('put_file', { session, path: 'd/secret', content: 'inside' }),
				a.request('put_file', { session, path: 'd/deep/er', content: 'x' }),
				a.request('put_file', {
					session,
					path: 'd/secret',
					content: '',
					append: true,
				}),
				a.request('put_file', { session, path: 'f', content: '', append: true }),
				a.request('get_file', { session, path: 'd' }),
			]);
			for (const { isError, content } of results) {
				const given = isError ? undefined : JSON.parse(content[0].text);
				if (isError) {
					assert.match(content[0].text, /links are not followed|there is no/);
					seen.refused++;
				} else if (given.content !== undefined) {
					assert.match(given.content, /^(inside)?$/);
					seen.inside++;
				} else if (given.written !== undefined) {
					seen.put++;
				}
			}
		}
		assert.equal((await a.call('session_status', { session })).status.state, 'running');
	});

/** What root's server puts there belongs to whom the programs run as. */
export const what_is_put_can_be_changed = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', { cwd: '/workspace' });
		await a.call('put_file', { session, path: 'd/f', content: 'one\n' });
		await a.call('put_file', { session, path: 'd/g', content: '', append: true });
		await a.call('send_input', {
			session,
			text: 'echo two >> d/f; echo x > d/g; touch d/h; stat -c %a%U d d/f; id -un; ls d; echo e"n"d',
			keys: ['enter'],
		});
		await a.call('wait', { session, pattern: 'end' });
		assert.equal((await a.call('get_file', { session, path: 'd/f' })).content, 'one\ntwo\n');
		assert.deepEqual((await a.call('get_file', { session, path: 'd' })).entries, ['f', 'g', 'h']);
	});

/** Names of any bytes are listed as text that leads back to them, and that turns nothing round. */
export const names_of_any_bytes = () =>
	agent(async (a) => {
		const { session } = await a.call('start_session', {
			cwd: '/workspace',
			argv: [
				'/usr/bin/python3',
				'-c',
				`import os
os.mkdir(b'd\\xe4')
for name in (b'd\\xe4/f\\xff', b'new\\nline', b'back\\\\x41', 'turn\\u202eed'.encode(), 'ä'.encode()):
    open(name, 'wb').write(name)`,
			],
		});
		assert.equal((await a.call('wait', { session })).exit, 0);
		const { entries } = await a.call('get_file', { session, path: '.' });
		assert.deepEqual(entries.sort(), [
			'back\\x5cx41',
			'd\\xe4/',
			'new\\x0aline',
			'turn\\xe2\\x80\\xaeed',
			'ä',
		]);
		for (const [path, content] of [
			['back\\x5cx41', 'back\\x41'],
			['new\\x0aline', 'new\nline'],
			['turn\\xe2\\x80\\xaeed', 'turn\u202eed'],
			['ä', 'ä'],
		])
			assert.equal((await a.call('get_file', { session, path })).content, content);
		assert.deepEqual((await a.call('get_file', { session, path: 'd\\xe4' })).entries, ['f\\xff']);
		const inner = await a.call('get_file', { session, path: 'd\\xe4/f\\xff' });
		assert.deepEqual(Buffer.from(inner.content, 'base64'), Buffer.from('d\xe4/f\xff', 'latin1'));
		await a.call('put_file', { session, path: 'd\\xe4/g\\xfe', content: 'put' });
		assert.equal((await a.call('get_file', { session, path: 'd\\xe4/g\\xfe' })).content, 'put');
		for (const path of ['\\x2e\\x2e/x', 'd\\x00', '.\\x2e\\x2fx'])
			assert.match(await a.fails('get_file', { session, path }), /not below/);
	});
