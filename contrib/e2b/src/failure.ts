// SPDX-License-Identifier: MIT
// What is told to the client. A code is one of Connect's; its HTTP status is what the SDK takes for
// the same on the requests that are not RPCs.

export type Code =
	| 'invalid_argument'
	| 'unauthenticated'
	| 'permission_denied'
	| 'not_found'
	| 'already_exists'
	| 'no_space'
	| 'resource_exhausted'
	| 'failed_precondition'
	| 'deadline_exceeded'
	| 'unimplemented'
	| 'unavailable'
	| 'internal';

const STATUS: Record<Code, number> = {
	invalid_argument: 400,
	unauthenticated: 401,
	permission_denied: 403,
	not_found: 404,
	already_exists: 409,
	no_space: 507,
	resource_exhausted: 429,
	failed_precondition: 409,
	deadline_exceeded: 504,
	unimplemented: 501,
	unavailable: 502,
	internal: 500,
};

export class Failure extends Error {
	constructor(
		readonly code: Code,
		message: string,
	) {
		super(message);
	}

	get status(): number {
		return STATUS[this.code];
	}

	/** As Connect calls it, which has no word for a full disk. */
	get rpc(): string {
		return this.code === 'no_space' ? 'resource_exhausted' : this.code;
	}

	/** What the agent of a sandbox says: any string may come. */
	static of(code: unknown, message: unknown): Failure {
		const known = typeof code === 'string' && Object.hasOwn(STATUS, code);
		return new Failure(known ? (code as Code) : 'internal', String(message));
	}

	static from(error: unknown): Failure {
		if (error instanceof Failure) return error;
		return new Failure('internal', error instanceof Error ? error.message : String(error));
	}
}

export function notServed(what: string): Failure {
	return new Failure('unimplemented', `${what} is not served by mimobox`);
}

/** That of a gateway which does not find the sandbox: the SDK takes it for one that has ended. */
export function noSandbox(id: string): Failure {
	return new Failure('unavailable', `The sandbox was not found: ${id}`);
}
