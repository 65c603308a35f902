// SPDX-License-Identifier: MIT

export interface Settings {
	mount: string;
	/** What X-API-KEY has to be. */
	key: string;
	port: number;
	/** Lines for the config of each session. */
	config: string[];
	/** How many sandboxes there may be at a time. */
	sandboxes: number;
	/** The programs that run in the sandbox. */
	agentText: Buffer;
	kernelText: string;
}

/** That of E2B's whose requests and answers these are: the SDK asks for no more than it has. */
export const ENVD_VERSION = '0.5.7';
export const TEMPLATES = ['base', 'code-interpreter-v1'];
export const DEFAULT_TIMEOUT_S = 300;
export const MAX_TIMEOUT_S = 86_400;
