// SPDX-License-Identifier: MIT
// While a tool waits, a client that asked for it is told that it still does, and how much was
// printed: some clients give up on a call of which they hear nothing.

import type { ServerNotification } from '@modelcontextprotocol/sdk/types.js';
import type { Session } from './session.js';

const EVERY_MS = 2000;

export interface Listener {
	token: string | number | undefined;
	send: (notification: ServerNotification) => Promise<void>;
}

/** Calls `work`, and tells of it until it is done. */
export async function withProgress<T>(
	listener: Listener,
	session: Session,
	totalS: number,
	work: () => Promise<T>,
): Promise<T> {
	const { token, send } = listener;
	if (token === undefined) return work();
	const begin = Date.now();
	const tell = async () => {
		const end = (await session.status())['output-end'] ?? '0';
		await send({
			method: 'notifications/progress',
			params: {
				progressToken: token,
				progress: (Date.now() - begin) / 1000,
				total: totalS,
				message: `${session.name}: ${end} bytes printed`,
			},
		});
	};
	const timer = setInterval(() => void tell().catch(() => {}), EVERY_MS);
	try {
		return await work();
	} finally {
		clearInterval(timer);
	}
}
