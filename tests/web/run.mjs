// SPDX-License-Identifier: MIT
// run.mjs CASE: one of requests.mjs or pages.mjs. $M is the mount point, $WEB where the web terminal
// is, $DAEMON the pid of mimoboxfs, $D a directory for what a browser keeps. Fails by what it throws.
import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { pages } from './pages.mjs';
import { requests } from './requests.mjs';
import { Web } from './server.mjs';

async function withBrowser(web, act) {
	const browser = await Browser.start(process.env.D);
	try {
		await act(web, browser);
		await browser.close();
	} finally {
		browser.child.kill('SIGKILL');
	}
}

async function run(name) {
	const web = await Web.start();
	try {
		await (requests[name]?.(web) ?? withBrowser(web, pages[name]));
		if (web.child.exitCode === null)
			assert.equal(await web.end(), 0);
	} finally {
		web.child.kill('SIGKILL');
	}
}

await run(process.argv[2]);
process.exit(0);
