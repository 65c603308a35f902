#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// mimobox-mcp [MOUNTPOINT]: an MCP server over the files of a mimobox mount, on standard input and
// output. The sessions that it makes are removed with it, however it ends.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { describe } from './failure.js';
import { Keeper } from './keeper.js';
import { findMount } from './mount.js';
import { Policy } from './policy.js';
import { giveUpAll } from './question.js';
import { addResources } from './resources.js';
import type { Context } from './tool.js';
import { addChangeTools } from './tools_changes.js';
import { addLabelTools } from './tools_labels.js';
import { addSessionTools } from './tools_session.js';
import { addTerminalTools } from './tools_terminal.js';
import { addWorkspaceTools } from './tools_workspace.js';

const SESSIONS_MAX = 32;

const USAGE = `usage: mimobox-mcp [--allow 'KEY VALUE']... [--sessions N] [--others] [MOUNTPOINT]

An MCP server on standard input and output that runs programs in sandboxed terminal sessions of a
mimobox mount: MOUNTPOINT, or $MIMOBOX, or $XDG_RUNTIME_DIR/mimobox, or /run/mimobox.

A model may ask for what the mount's defaults have, and for nothing of the host beyond that:
  --allow 'KEY VALUE'  and for up to this: 'memory 4G', 'network tcp 443', 'rw /srv/project'
                       (that very path), in the words of a session's config;
                       'apply yes': to bring what was changed in an overlay to the host
  --sessions N         so many sessions at a time (${SESSIONS_MAX})
  --others             use, by their full names, sessions that others have made`;

const INSTRUCTIONS = `Runs programs in sandboxes, each on a terminal of its own: a session.
A command: start_session with command, wait (for its end), read_output, remove_session.
A dialogue: start_session, then send_input (text, keys ["enter"]), wait with pattern or idle_ms, read_output
  from the offset you had, and so on.
A program that draws (vim, less, top): wait with idle_ms, then read_screen.
Files: put_file and get_file work on /workspace of the session; start_session with cwd "/workspace" runs there.
For output without echo and escape sequences use terminal false.
Sessions have no network and nothing of the host's unless the operator allows it. They, their output and
  their workspaces are gone when this server ends.`;

function version(): string {
	const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
	return (JSON.parse(text) as { version: string }).version;
}

/** Ends at the end of standard input, and at signals; once. */
function endWith(context: Context, keeper: Keeper): void {
	const end = async () => {
		if (context.closing) return;
		context.closing = true;
		giveUpAll();
		await Promise.allSettled(context.making);
		await keeper.end();
		process.exit(0);
	};
	process.stdin.on('end', end).on('close', end).on('error', end);
	process.stdout.on('error', end);
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
}

async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			allow: { type: 'string', multiple: true, default: [] },
			sessions: { type: 'string', default: String(SESSIONS_MAX) },
			others: { type: 'boolean', default: false },
			help: { type: 'boolean', short: 'h' },
			version: { type: 'boolean' },
		},
	});
	if (values.help) return console.log(USAGE);
	if (values.version) return console.log(`mimobox-mcp ${version()}`);
	const most = Number(values.sessions);
	if (positionals.length > 1)
		throw new Error(`one argument at most, the mount point; see mimobox-mcp --help`);
	if (!Number.isSafeInteger(most) || most < 1) throw new Error(`--sessions: no number of sessions`);
	const policy = new Policy(values.allow ?? []);
	const mount = await findMount(positionals[0], values.others ?? false);
	const server = new McpServer({ name: 'mimobox', version: version() }, { instructions: INSTRUCTIONS });
	const context: Context = {
		server,
		mount,
		policy,
		most,
		typed: new Map(),
		making: new Set(),
		closing: false,
	};
	addChangeTools(context);
	addSessionTools(context);
	addTerminalTools(context);
	addWorkspaceTools(context);
	addLabelTools(context);
	addResources(context);
	const keeper = new Keeper(mount);
	await keeper.start();
	endWith(context, keeper);
	await server.connect(new StdioServerTransport());
}

main().catch((error) => {
	console.error(`mimobox-mcp: ${describe(error)}`);
	process.exit(2);
});
