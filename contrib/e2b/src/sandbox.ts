// SPDX-License-Identifier: MIT
// A sandbox: a session, the program in it that acts for the server, and what the API tells of both.

import { createHash, randomBytes } from 'node:crypto';
import { Agent, type Answer, type Channel } from './agent.js';
import { Failure } from './failure.js';
import { Session } from './mount.js';
import type { Settings } from './settings.js';

const START_PATIENCE_MS = 20_000;
/** What setTimeout(3) takes. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface Wish {
	template: string;
	metadata: Record<string, string>;
	envs: Record<string, string>;
	timeoutS: number;
}

/** A command that runs, or has run and is still listened to. */
export interface Running {
	pid: number;
	tag: string | undefined;
	config: Answer;
	pty: boolean;
	channel: Channel;
	/** Those who are told what it prints, and of its end. */
	listeners: Set<Listener>;
}

export interface Listener {
	data(kind: 'output' | 'errors', data: Buffer): Promise<void> | void;
	end(status: number): void;
	lost(error: Failure): void;
}

export class Sandbox {
	readonly id = randomBytes(10).toString('hex');
	/** For the requests to the sandbox itself, and for its ports. */
	readonly token = randomBytes(24).toString('hex');
	readonly startedAt = new Date();
	endAt = new Date();
	paused = false;
	home = '/tmp';
	user = 'sandbox';
	readonly running = new Map<number, Running>();
	/** Told once, when it has ended. */
	onEnd: () => void = () => {};
	private agent: Agent | undefined;
	private timer: NodeJS.Timeout | undefined;
	private ended = false;
	readonly session: Session;

	constructor(
		private readonly settings: Settings,
		readonly wish: Wish,
	) {
		// All users of a mount see its name, and who knows the id reaches the ports.
		const name = createHash('sha256').update(this.id).digest('hex').slice(0, 20);
		this.session = new Session(settings.mount, `e2b-${name}`);
	}

	async start(): Promise<void> {
		try {
			await this.session.make();
			await this.session.configure(await this.config());
			await this.session.start();
			this.agent = await Agent.open(this.session.path, this.settings.agentText);
			void this.agent.closed.then(() => this.end());
			await this.greet(this.agent);
			this.setTimeout(this.wish.timeoutS);
		} catch (error) {
			await this.end();
			throw Failure.from(error);
		}
	}

	/** The workspace is the home, where the mount lets us give it by that name. */
	private async config(): Promise<string[]> {
		const workspace = await this.session.workspace();
		const given = await this.session.write('config', `rw ${workspace}:/home/user\n`).then(
			() => true,
			() => false,
		);
		const home = given ? '/home/user' : '/workspace';
		return [
			'terminal no',
			'overflow wait',
			'retain 4M',
			'seccomp network',
			...this.settings.config,
			`env HOME=${home}`,
			`cwd ${home}`,
			`argv ${JSON.stringify(Agent.command(this.settings.agentText))}`,
		];
	}

	private async greet(agent: Agent): Promise<void> {
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<never>((_, reject) => {
			timer = setTimeout(
				() => reject(new Failure('internal', 'the sandbox did not come up')),
				START_PATIENCE_MS,
			);
		});
		try {
			const hello = await Promise.race([agent.hello, late]);
			this.home = String(hello['home']);
			this.user = String(hello['user']);
		} finally {
			clearTimeout(timer);
		}
	}

	setTimeout(seconds: number): void {
		clearTimeout(this.timer);
		this.endAt = new Date(Date.now() + seconds * 1000);
		this.timer = setTimeout(() => void this.end(), Math.min(seconds * 1000, TIMER_MAX_MS));
	}

	ask(question: Answer): Channel {
		if (!this.agent || this.ended) throw new Failure('unavailable', 'the sandbox has ended');
		return this.agent.ask(question);
	}

	/** Of what has one answer alone. */
	answer(question: Answer): Promise<Answer> {
		return this.ask(question).closed;
	}

	/** All of its processes stop where they are; its time goes on once they do. */
	async pause(): Promise<void> {
		if (this.paused) throw new Failure('already_exists', `Sandbox ${this.id} is already paused`);
		await this.session.write('ctl', 'stop\n');
		clearTimeout(this.timer);
		this.paused = true;
	}

	async resume(): Promise<void> {
		if (!this.paused) return;
		await this.session.write('ctl', 'cont\n');
		this.paused = false;
	}

	async end(): Promise<void> {
		if (this.ended) return;
		this.ended = true;
		clearTimeout(this.timer);
		this.onEnd();
		this.agent?.close();
		await this.session.remove().catch(() => {});
	}
}
