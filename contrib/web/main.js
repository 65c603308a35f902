#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// The sessions of a mounted mimobox in a browser. See --help.
import { parseArgs } from 'node:util';
import { Guard } from './guard.js';
import { List } from './list.js';
import { Mount } from './mount.js';
import { Server } from './server.js';
import { Viewers } from './viewers.js';

const HELP = `usage: main.js [--port PORT] [MOUNTPOINT]

Serves a page with the sessions of the mimobox mounted at MOUNTPOINT (/run/mimobox), at 127.0.0.1
alone, and prints the address to open. Whoever has that address can do what you can with the
sessions. SIGTERM or SIGINT ends it; the sessions go on.
`;

function options() {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: { port: { type: 'string', default: '0' }, help: { type: 'boolean' } },
	});
	const port = Number(values.port);
	if (positionals.length > 1 || !Number.isInteger(port) || port < 0 || port > 65535)
		throw new Error('see --help');
	return { help: values.help, port, path: positionals[0] ?? '/run/mimobox' };
}

async function main() {
	const { help, port, path } = options();
	if (help) {
		process.stdout.write(HELP);
		return;
	}
	const mount = new Mount(path);
	const list = new List(mount), viewers = new Viewers(mount);
	const server = new Server(mount, list, viewers);
	let ending = false;
	const end = status => {
		process.exitCode ??= status;
		if (ending)
			return;
		ending = true;
		list.stop();
		viewers.stop();
		server.stop();
	};
	await list.start(() => {
		if (!ending)
			console.error(`mimobox-web: ${path}: the filesystem has ended`);
		end(1);
	});
	for (const signal of ['SIGTERM', 'SIGINT'])
		process.once(signal, () => end(0));
	try {
		server.guard = new Guard(await server.listen(port));
	} catch (error) {
		end(1);
		throw error;
	}
	console.log(server.guard.url());
}

main().catch(error => {
	console.error(`mimobox-web: ${error.message}`);
	process.exitCode = 1;
});
