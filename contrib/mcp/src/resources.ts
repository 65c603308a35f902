// SPDX-License-Identifier: MIT
// The screen and the transcript of each session as resources. Who subscribes to one is told when the
// session has printed something, at most four times a second.

import { type ChildProcess, spawn } from 'node:child_process';
import { ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
	ErrorCode,
	McpError,
	SubscribeRequestSchema,
	UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { describe, Failure } from './failure.js';
import { Session } from './session.js';
import { decodeLossy, fitText } from './text.js';
import { readOutput } from './output.js';
import type { Context } from './tool.js';

const KINDS = ['screen', 'transcript'] as const;
const TEXT_MAX = 262144;
const PAUSE_MS = 250;
const SUBSCRIPTIONS_MAX = 64;

const URI = /^mimobox:\/\/session\/([A-Za-z0-9._-]{1,64})\/(screen|transcript)$/;

/** The newest of what it has printed, as far as it fits. */
async function transcriptOf(session: Session): Promise<string> {
	const end = Number((await session.status())['output-end'] ?? 0);
	const from = Math.max(0, end - TEXT_MAX / 8);
	const piece = await readOutput(session, 'output', from, TEXT_MAX, false);
	return decodeLossy(piece.bytes);
}

async function textOf(session: Session, kind: string): Promise<string> {
	if (kind === 'screen') return fitText((await session.read('screen')).trimEnd(), TEXT_MAX);
	return transcriptOf(session);
}

/** A reader of what is printed from now on, which says no more than that there is some. */
class Subscription {
	private child: ChildProcess | undefined;
	private due = false;
	private timer: NodeJS.Timeout | undefined;

	constructor(
		private readonly session: Session,
		private readonly tell: () => void,
		private readonly over: () => void,
	) {}

	async start(): Promise<void> {
		const end = (await this.session.status())['output-end'] ?? '0';
		const dd = ['if=' + this.session.path + '/output', 'bs=64K', 'iflag=skip_bytes'];
		this.child = spawn(
			'setpriv',
			['--pdeathsig', 'KILL', 'dd', ...dd, `skip=${end}`, 'status=none'],
			{ stdio: ['ignore', 'pipe', 'ignore'] },
		);
		this.child.on('error', () => this.over());
		this.child.stdout?.on('data', () => this.note());
		this.child.once('close', () => {
			this.note(); // its end is one more change
			this.over();
		});
	}

	private note(): void {
		this.due = true;
		this.timer ??= setTimeout(() => {
			this.timer = undefined;
			if (this.due) this.tell();
			this.due = false;
		}, PAUSE_MS);
	}

	stop(): void {
		clearTimeout(this.timer);
		this.child?.removeAllListeners('close');
		this.child?.stdout?.removeAllListeners('data');
		this.child?.kill('SIGKILL');
	}
}

export function addResources(context: Context): void {
	const { mount, server } = context;
	const subscriptions = new Map<string, Subscription>();

	const find = async (uri: string): Promise<{ session: Session; kind: string }> => {
		const [, name = '', kind = ''] = URI.exec(uri) ?? [];
		if (!kind) throw new Failure(`no such resource: ${uri}`);
		return { session: await Session.find(mount, name), kind };
	};
	/** What a client is told of a failure, as the protocol has it. */
	const failing = async <T>(work: () => Promise<T>): Promise<T> =>
		work().catch((error) => {
			throw new McpError(ErrorCode.InvalidParams, describe(error));
		});

	for (const kind of KINDS)
		server.registerResource(
			kind,
			new ResourceTemplate(`mimobox://session/{session}/${kind}`, {
				list: async () => ({
					resources: (await mount.names())
						.filter((name) => mount.owns(name))
						.sort()
						.map((name) => ({
							uri: `mimobox://session/${name}/${kind}`,
							name: `${kind} of ${name}`,
							mimeType: 'text/plain',
						})),
				}),
			}),
			{
				title: kind === 'screen' ? 'Screen of a session' : 'Transcript of a session',
				description:
					kind === 'screen'
						? 'The terminal as a person would see it now'
						: 'The newest of what the session has printed, raw, up to 32 KiB',
				mimeType: 'text/plain',
			},
			async (uri) =>
				failing(async () => {
					const { session } = await find(uri.href);
					const text = await textOf(session, kind);
					return { contents: [{ uri: uri.href, mimeType: 'text/plain', text }] };
				}),
		);

	server.server.registerCapabilities({ resources: { subscribe: true } });
	server.server.setRequestHandler(SubscribeRequestSchema, async ({ params: { uri } }) =>
		failing(async () => {
			const { session } = await find(uri);
			if (subscriptions.has(uri)) return {};
			if (subscriptions.size >= SUBSCRIPTIONS_MAX)
				throw new Failure(`there are ${SUBSCRIPTIONS_MAX} subscriptions: end some first`);
			const subscription = new Subscription(
				session,
				() => void server.server.sendResourceUpdated({ uri }).catch(() => {}),
				() => subscriptions.delete(uri),
			);
			subscriptions.set(uri, subscription);
			await subscription.start().catch((error) => {
				subscriptions.delete(uri);
				throw error;
			});
			return {};
		}),
	);
	server.server.setRequestHandler(UnsubscribeRequestSchema, async ({ params: { uri } }) => {
		subscriptions.get(uri)?.stop();
		subscriptions.delete(uri);
		return {};
	});
}
