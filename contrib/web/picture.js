#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// picture.js [MOUNTPOINT]: makes web-terminal.png, for the README, of real sessions.
//
// It takes node_modules (npm ci), chromium-headless-shell and vim. The mount is one without other
// sessions; those that it makes are removed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Browser } from '../../tests/web/browser.mjs';

process.umask(0);
const mount = process.argv[2] ?? '/run/mimobox';
const here = path => new URL(path, import.meta.url).pathname;
const SESSIONS = {
	build: 'command while sleep 1; do date; done',
	editor: 'command vim -u NONE -N example.c\ncwd /workspace',
	nightly: 'command sleep 0.1; exit 1',
	shell: 'command bash',
	unpack: 'command true',
};
const MAKEFILE = `example: example.c
	$(CC) -o $@ $< \\
	    $(LIBS)

clean:
	rm -f example

.PHONY: clean
`;
const VIM = ':syntax on | set number ruler nowrap laststatus=2 hlsearch background=dark\r' +
	':colorscheme habamax\r:vsplit | edit Makefile | vertical resize 34\r\x17l/mimobox_session_create\rzt';

for (const [name, config] of Object.entries(SESSIONS)) {
	mkdirSync(`${mount}/${name}`);
	writeFileSync(`${mount}/${name}/config`, `${config}\n`);
	if (name === 'editor') {
		const mode = 0o666;
		writeFileSync(`${mount}/${name}/workspace/example.c`, readFileSync(here('../example.c')), { mode });
		writeFileSync(`${mount}/${name}/workspace/Makefile`, MAKEFILE, { mode });
	}
	if (name !== 'shell')
		writeFileSync(`${mount}/${name}/ctl`, 'start\n');
}
const web = spawn(process.execPath, [here('main.js'), mount], { stdio: ['ignore', 'pipe', 'inherit'] });
const directory = mkdtempSync(`${tmpdir()}/mimobox-picture-`);
try {
	const [url] = await once(web.stdout, 'data');
	const browser = await Browser.start(directory);
	const page = await browser.open(String(url).trim(), 1180, 620);
	await page.call('Emulation.setEmulatedMedia',
		{ features: [{ name: 'prefers-color-scheme', value: 'dark' }] });
	await page.evaluate(() => { location.hash = '#/editor'; });
	await page.until(async () => (await import('/page.js')).shown?.live === true);
	readFileSync(`${mount}/editor/wait/idle:500ms`);
	for (const key of VIM.split(/(?<=\r)/))
		await page.type(key);
	readFileSync(`${mount}/editor/wait/idle:1s`);
	await page.until(async () => (await import('/page.js')).shown.writing === 0);
	writeFileSync(here('web-terminal.png'), await page.picture());
	await browser.close();
} finally {
	web.kill();
	for (const name of Object.keys(SESSIONS))
		rmdirSync(`${mount}/${name}`);
	rmSync(directory, { recursive: true, force: true });
}
