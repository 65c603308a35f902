// SPDX-License-Identifier: MIT
// What a model may ask for in a session's `config`.
//
// A model does what a text that it reads tells it to, and that text may be an attacker's (prompt
// injection). So it is not the model that decides what of the host a session gets, but who runs
// this server: by the mount's `defaults`, and by --allow. Nothing else widens a sandbox.

import { Failure } from './failure.js';

/** May have any value: they give nothing of the host. */
const FREE = [
	'command',
	'argv',
	'cwd',
	'env',
	'terminal',
	'overflow',
	'replies',
	'ends',
	'home',
	'deny',
];
/** Up to what is allowed. `none` is more than any number. */
const NUMBERS = [
	'memory',
	'processes',
	'cpu',
	'open-files',
	'file-size',
	'tmp-size',
	'disk',
	'retain',
	'timeout',
	'idle-timeout',
	'kill-grace',
];
/** Exactly what is allowed, under whatever name inside. */
const PATHS = ['ro', 'rw', 'overlay', 'root', 'device'];
/** Up to what is allowed, in this order. */
const ORDERS: Record<string, string[]> = {
	seccomp: ['strict', 'essential', 'network', 'compat'],
	fork: ['no', 'yes'],
	ptrace: ['no', 'yes'],
};
const UNITS: Record<string, number> = {
	'': 1,
	K: 2 ** 10,
	M: 2 ** 20,
	G: 2 ** 30,
	T: 2 ** 40,
	ns: 1e-9,
	us: 1e-6,
	ms: 1e-3,
	s: 1,
	m: 60,
	h: 3600,
	d: 86400,
};

/** undefined: it is none, in the plain form that is all that is taken here. */
function number(text: string): number | undefined {
	if (text === 'none') return Infinity;
	const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?)([KMGT]|[num]?s|[mhd])?$/.exec(text) ?? [];
	return digits === undefined ? undefined : Number(digits) * (UNITS[unit] as number);
}

/** The ports of `tcp ...`; none for `none` and `names`, undefined for anything else. */
function ports(text: string): string[] | undefined {
	if (text === 'none' || text === 'names') return [];
	const list = /^tcp ([0-9]{1,5}(?:, ?[0-9]{1,5})*)$/.exec(text)?.[1];
	return list?.split(/, ?/);
}

function upTo(key: string, asked: string, most: string): boolean {
	if (asked === most) return true;
	if (NUMBERS.includes(key)) {
		const [one, other] = [number(asked), number(most)];
		return one !== undefined && other !== undefined && one <= other;
	}
	const order = Object.hasOwn(ORDERS, key) ? ORDERS[key] : undefined;
	if (order) return order.includes(asked) && order.indexOf(asked) <= order.indexOf(most);
	// Hosts by name are what lines of `allow` are for.
	if (key === 'network' && asked === 'names') return most === 'names' || most === 'host';
	if (key === 'network') {
		const [some, all] = [ports(asked), ports(most)];
		return most === 'host'
			? some !== undefined
			: (some?.every((port) => all?.includes(port)) ?? false);
	}
	// A path by its whole name: below one that a program may change, it could plant a link.
	if (PATHS.includes(key)) return asked.split(':')[0] === most;
	return false;
}

export class Policy {
	private readonly lines: [string, string][];

	constructor(private readonly allowed: string[]) {
		this.lines = allowed.map((line) => {
			const [, key, value] = /^([a-z][a-z-]*) +(\S.*?) *$/.exec(line) ?? [];
			if (key === undefined || value === undefined)
				throw new Error(`--allow '${line}': not KEY VALUE, as in a session's config`);
			if (NUMBERS.includes(key) && number(value) === undefined)
				throw new Error(`--allow '${line}': no number`);
			return [key, value];
		});
	}

	/** Fails unless the operator's `defaults`, or a line of --allow, let a model have it. */
	check(key: string, value: string, defaults: Map<string, string>): void {
		if (FREE.includes(key)) return;
		const bounds = this.lines.filter(
			([each]) =>
				each === key ||
				(key === 'ro' && (each === 'rw' || each === 'overlay')) ||
				(key === 'overlay' && each === 'rw'),
		);
		const usual = defaults.get(key);
		if (usual !== undefined && !PATHS.includes(key)) bounds.push([key, usual]);
		if (bounds.some(([, most]) => upTo(key, value, most))) return;
		const most = bounds.map(([, each]) => each).join(', or ');
		throw new Failure(
			`config ${key} '${value}' is not allowed: ` +
				(most ? `at most ${most}` : `nothing of it is`) +
				`. Only the operator of this server can allow more (--allow)`,
		);
	}

	/** Whether what was changed in an overlay may be brought to the host. */
	applies(): boolean {
		return this.lines.some(([key, value]) => key === 'apply' && value === 'yes');
	}

	describe(): string {
		return this.allowed.length
			? `Allowed by the operator beyond the defaults: ${this.allowed.join('; ')}.`
			: "Limits up to the defaults; nothing of the host's: no paths, no network.";
	}
}
