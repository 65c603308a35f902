#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// mimobox-e2b [--port PORT] [--config LINE]... [--sandboxes N] [MOUNT]

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { findMount } from './mount.js';
import { Sandboxes } from './sandboxes.js';
import { Service } from './server.js';
import type { Settings } from './settings.js';

const USAGE = `usage: mimobox-e2b [--port PORT] [--config 'KEY VALUE']... [--sandboxes N] [MOUNT]
Serves the API of E2B at 127.0.0.1, on the sessions of a mounted mimobox.

  --port PORT           listen there; else at any free port
  --config 'KEY VALUE'  a line for the config of each sandbox, such as 'memory 2G'
  --sandboxes N         so many at a time, at most (32)

It prints the environment that clients need. E2B_API_KEY is the key where it is set.
`;

function numberOf(text: string | undefined, otherwise: number, most: number): number {
	const number = text === undefined ? otherwise : Number(text);
	if (!Number.isInteger(number) || number < 0 || number > most)
		throw new Error(`'${text}' is no number from 0 to ${most}`);
	return number;
}

function textOf(name: string): Buffer {
	return readFileSync(new URL(`../sandbox/${name}`, import.meta.url));
}

async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			port: { type: 'string' },
			config: { type: 'string', multiple: true },
			sandboxes: { type: 'string' },
			help: { type: 'boolean' },
		},
	});
	if (values.help) {
		process.stdout.write(USAGE);
		return;
	}
	if (positionals.length > 1) throw new Error('more than one mount point');
	const settings: Settings = {
		mount: await findMount(positionals[0]),
		key: process.env['E2B_API_KEY'] || `e2b_${randomBytes(20).toString('hex')}`,
		port: numberOf(values.port, 0, 65535),
		config: values.config ?? [],
		sandboxes: numberOf(values.sandboxes, 32, 100_000),
		agentText: textOf('agent.py'),
		kernelText: textOf('kernel.py').toString(),
	};
	const sandboxes = new Sandboxes(settings);
	await sandboxes.clear();
	const { server } = new Service(settings, sandboxes);
	server.listen(settings.port, '127.0.0.1');
	await once(server, 'listening');
	settings.port = (server.address() as AddressInfo).port;
	const address = `http://127.0.0.1:${settings.port}`;
	process.stdout.write(
		`export E2B_API_URL=${address} E2B_SANDBOX_URL=${address} E2B_API_KEY=${settings.key}\n`,
	);
	const end = () => {
		server.close();
		server.closeAllConnections();
		void sandboxes.endAll().then(() => process.exit(0));
	};
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
}

main().catch((error) => {
	process.stderr.write(`mimobox-e2b: ${(error as Error).message}\n`);
	process.exit(1);
});
