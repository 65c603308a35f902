// SPDX-License-Identifier: MIT
// A browser without a window, by the DevTools protocol over a pipe: it goes when the pipe does.
//
// Every wait has a bound, and is for something that happens in the page.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';

const SECONDS = 20 * (process.env.MIMOBOX_TEST_FACTOR ?? 1);
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--mute-audio',
	'--disable-dev-shm-usage', '--disable-breakpad', '--disable-background-networking',
	'--disable-component-update', '--disable-sync', '--no-proxy-server', '--remote-debugging-pipe'];
const KEYS = { Enter: ['Enter', 13, '\r'], Escape: ['Escape', 27], Tab: ['Tab', 9],
	ArrowUp: ['ArrowUp', 38], ArrowLeft: ['ArrowLeft', 37] };

export function within(milliseconds, what, promise) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${what}: not in ${milliseconds} ms`)), milliseconds);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Browser {
	static async start(directory) {
		const browser = new Browser();
		browser.profile = await mkdtemp(`${directory}/profile-`);
		browser.child = spawn(process.env.CHROMIUM ?? 'chromium-headless-shell',
			[...FLAGS, `--user-data-dir=${browser.profile}`, 'about:blank'],
			{ stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
		browser.calls = new Map();
		browser.listeners = new Set();
		browser.last = 0;
		browser.rest = '';
		browser.child.stdio[4].setEncoding('utf8').on('data', text => browser.hear(text));
		browser.child.stdio[3].on('error', () => {});
		await browser.call('Browser.getVersion');
		return browser;
	}

	hear(text) {
		const messages = (this.rest + text).split('\0');
		this.rest = messages.pop();
		for (const message of messages.map(each => JSON.parse(each))) {
			this.calls.get(message.id)?.(message);
			this.calls.delete(message.id);
			if (message.method)
				this.listeners.forEach(listener => listener(message));
		}
	}

	async call(method, params = {}, sessionId) {
		const id = ++this.last;
		const answer = new Promise(resolve => this.calls.set(id, resolve));
		this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
		const { result, error } = await within(SECONDS * 1000, method, answer);
		if (error)
			throw new Error(`${method}: ${error.message}`);
		return result;
	}

	async open(url, width = 1000, height = 640) {
		const { targetId } = await this.call('Target.createTarget',
			{ url: 'about:blank', newWindow: true });
		const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true });
		const page = new Page(this, sessionId, targetId);
		await page.prepare(width, height);
		await page.go(url);
		return page;
	}

	async close() {
		const gone = once(this.child, 'exit');
		await this.call('Browser.close');
		await within(SECONDS * 1000, 'the end of the browser', gone);
		await rm(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
	}
}

class Page {
	constructor(browser, id, target) {
		Object.assign(this, { browser, id, target });
		this.complaints = [];
		browser.listeners.add(({ sessionId, method, params }) => {
			if (sessionId !== id)
				return;
			if (method === 'Runtime.exceptionThrown')
				this.complaints.push(params.exceptionDetails.exception?.description);
			else if (method === 'Log.entryAdded' && params.entry.level === 'error')
				this.complaints.push(params.entry.text);
			else if (method === 'Page.loadEventFired')
				this.loaded?.();
			else if (method === 'Network.responseReceived' && params.type === 'Document')
				this.status = params.response.status;
		});
	}

	call(method, params) {
		return this.browser.call(method, params, this.id);
	}

	async prepare(width, height) {
		for (const domain of ['Page', 'Runtime', 'Log', 'Network'])
			await this.call(`${domain}.enable`);
		await this.call('Emulation.setFocusEmulationEnabled', { enabled: true });
		await this.resize(width, height);
	}

	resize(width, height) {
		return this.call('Emulation.setDeviceMetricsOverride',
			{ width, height, deviceScaleFactor: 1, mobile: false });
	}

	async go(url) {
		await this.load(() => this.call('Page.navigate', { url }));
	}

	async reload() {
		await this.load(() => this.call('Page.reload'));
	}

	async load(how) {
		const loaded = new Promise(resolve => { this.loaded = resolve; });
		await how();
		await within(SECONDS * 1000, 'the page', loaded);
	}

	// What `run(...values)` returns in the page; it may be async.
	async evaluate(run, ...values) {
		const expression = `(${run})(${values.map(value => JSON.stringify(value)).join(', ')})`;
		const { result, exceptionDetails } = await this.call('Runtime.evaluate',
			{ expression, awaitPromise: true, returnByValue: true, userGesture: true });
		if (exceptionDetails)
			throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
		return result.value;
	}

	// Looks again with each frame until `condition(...values)` is true in the page.
	async until(condition, ...values) {
		const met = this.evaluate(`async (...values) => {
			const until = performance.now() + ${SECONDS * 1000 - 2000};
			let result;
			while (!(result = await (${condition})(...values)) && performance.now() < until)
				await new Promise(resolve => setTimeout(resolve, 15));
			return result;
		}`, ...values);
		const result = await met;
		if (!result)
			throw new Error(`never: ${condition} ${JSON.stringify(values)}\n` +
				`${await this.evaluate(() => document.body.innerText)}\n${this.complaints.join('\n')}`);
		return result;
	}

	async press(name, modifiers = 0) {
		const [key, code, text] = KEYS[name] ?? [name, name.toUpperCase().charCodeAt(0)];
		const event = { key, code: KEYS[name] ? key : `Key${name.toUpperCase()}`,
			windowsVirtualKeyCode: code, modifiers };
		await this.call('Input.dispatchKeyEvent', { type: 'keyDown', ...event, text });
		await this.call('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
	}

	// As from a keyboard; \r is Enter, \x1b is Escape, \x03 and \x17 are Ctrl-C and Ctrl-W.
	async type(text) {
		for (const character of text) {
			if (character === '\r')
				await this.press('Enter');
			else if (character === '\x1b')
				await this.press('Escape');
			else if (character === '\x17')
				await this.press('w', 2);
			else if (character === '\x03')
				await this.press('c', 2);
			else
				await this.call('Input.dispatchKeyEvent', { type: 'char', text: character });
		}
	}

	async picture() {
		const { data } = await this.call('Page.captureScreenshot', { format: 'png' });
		return Buffer.from(data, 'base64');
	}

	async close() {
		await this.browser.call('Target.closeTarget', { targetId: this.target });
	}
}
