// SPDX-License-Identifier: MIT
// What somebody sees and does in a browser.
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { make, MOUNT, put, read, start, until } from './server.mjs';

// In the page: the lines on the screen.
async function screen() {
	const { shown } = await import('/page.js');
	if (!shown)
		return '';
	const { buffer, rows } = shown.terminal;
	const { active } = buffer;
	return Array.from({ length: rows }, (_, y) =>
		active.getLine(active.baseY + y).translateToString(true)).join('\n');
}

// All that two viewers can be compared by.
async function everything() {
	const { shown } = await import('/page.js');
	const { buffer, rows, cols, modes } = shown.terminal;
	const { active } = buffer;
	const looks = cell => [cell.getFgColor(), cell.getBgColor(), cell.isBold(), cell.isInverse()].join();
	const lines = Array.from({ length: active.length }, (_, y) => {
		const line = active.getLine(y);
		const text = line.translateToString(true);
		const all = Array.from({ length: text.length }, (_, x) => looks(line.getCell(x)));
		return [text, ...new Set(all)].join('|');
	});
	return { lines, rows, cols, modes, type: active.type, x: active.cursorX, y: active.cursorY };
}

const shows = (page, part) => page.until(`async part => (await (${screen})()).includes(part)`, part);
const isLive = page => page.until(async () => (await import('/page.js')).shown?.live === true);

// At the size of the page's window, as long as the session lives.
async function look(browser, web, name, ...size) {
	const page = await browser.open(web.url, ...size);
	await page.evaluate(name => { location.hash = `#/${name}`; }, name);
	await page.until(async () => (await import('/page.js')).shown !== null);
	await page.evaluate(async () => (await import('/page.js')).shown.ready);
	return page;
}

// The program may still be drawing: what is compared is what both come to.
async function sameAs(page, wanted) {
	const json = JSON.stringify(wanted);
	await page.until(`async json => JSON.stringify(await (${everything})()) === json`, json)
		.catch(async () => assert.deepEqual(await page.evaluate(everything), wanted));
}

// Nothing is printed any more, and what was is drawn.
async function reloads(page) {
	read('a/wait/idle:300ms');
	await page.until(async () => (await import('/page.js')).shown.writing === 0);
	const before = await page.evaluate(everything);
	await page.reload();
	await isLive(page);
	await sameAs(page, before);
}

const BASH = 'command LANG=C.UTF-8 PS1="ready> " exec bash --norc\n';
// Asks the terminal what it is with each key, and tells what came, and what came besides.
const ASKER = "argv " + JSON.stringify(['bash', '-c', `stty -icanon -echo; echo ready
	while read -rn1 x; do
		printf '\\033[c'; read -rd c -t 9 answer; read -rn 9 -t 0.5 rest
		echo "$x: \${answer#?} <$rest>"
	done`]) + '\n';

export const pages = {
	// A session made, typed at, killed and removed, by the page alone.
	async a_session_from_first_to_last(web, browser) {
		const page = await browser.open(web.url);
		await page.until(() => !document.querySelector('#none').hidden);
		assert.equal(await page.evaluate(() => location.href), `${web.origin}/`);
		await page.evaluate(() => { document.querySelector('#memory').value = '96M'; });
		await page.evaluate(() => document.querySelector('#command').focus());
		await page.type(BASH.slice('command '.length, -1) + '\r');
		await shows(page, 'ready>');
		await page.type('echo $((6 * 7)) héllo 漢; stty size\r');
		await shows(page, '42 héllo 漢');
		const size = await page.evaluate(async () => {
			const { shown } = await import('/page.js');
			return `${shown.terminal.rows} ${shown.terminal.cols}`;
		});
		await shows(page, `\n${size}`);
		const name = await page.evaluate(() => document.querySelector('li .title').textContent);
		assert.equal(read(`${name}/size`), `${size}\n`);
		assert.match(read(`${name}/config`), /\nmemory 96M\n/);
		const click = id => page.evaluate(id => document.getElementById(id).click(), id);
		await click('kill');
		await page.until(() => document.querySelector('#state').textContent === 'ended: kill');
		await page.until(() => !document.querySelector('#remove').disabled);
		await click('remove');
		await page.until(() => !document.querySelector('#none').hidden);
		assert.ok(!existsSync(`${MOUNT}/${name}`));
		assert.deepEqual(page.complaints, []);
	},

	// What others do is in the list without a reload, and Ctrl-Shift-L leads there.
	async the_list(web, browser) {
		make('b', 'command read x; exit $x\n');
		const page = await browser.open(web.url);
		const list = text => page.until(text => text === [...document.querySelectorAll('li')].map(item =>
			`${item.querySelector('.title').textContent} ${item.querySelector('.age').textContent}`)
			.join().replace(/\d+ (s|min)/g, 'T'), text);
		await list('b created · T');
		make('a');
		await list('a created · T,b created · T');
		put('b/ctl', 'start\n');
		await list('a created · T,b T');
		await page.evaluate(() => { location.hash = '#/b'; });
		await isLive(page);
		await page.type('3\r');
		await list('a created · T,b exited 3 · T');
		await page.press('l', 2 + 8);
		await page.until(() => document.activeElement.matches('a[aria-current]'));
		await page.press('Tab');
		assert.ok(await page.evaluate(() => document.activeElement.id !== 'command'));
		assert.deepEqual(page.complaints, []);
	},

	// By the keyboard alone: from the terminal to the files, into a directory and back.
	async files(web, browser) {
		const downloads = `${process.env.D}/downloads`;
		start('a', BASH);
		mkdirSync(`${MOUNT}/a/workspace/src`);
		writeFileSync(`${MOUNT}/a/workspace/src/<b>`, 'in a directory');
		const page = await look(browser, web, 'a');
		await shows(page, 'ready>');
		const rows = text => page.until(text =>
			text === [...document.querySelectorAll('#entries li')].map(item => item.innerText
				.replace(/\s+/g, ' ').trim()).join(), text);
		const focus = async text => {
			for (let i = 0; i < 30 && !await page.evaluate(text =>
				document.activeElement.textContent === text, text); i++)
				await page.press('Tab');
			assert.equal(await page.evaluate(() => document.activeElement.textContent), text);
		};
		await page.press('l', 2 + 8);
		await focus('Files');
		await page.press('Enter');
		await rows('src/');
		// what the program makes is there without a word, and the focus stays
		await focus('src/');
		writeFileSync(`${MOUNT}/a/workspace/new`, 'x'.repeat(2048));
		await rows('src/,new 2.0 KB');
		assert.equal(await page.evaluate(() => document.activeElement.textContent), 'src/');
		await page.press('Enter');
		await rows('<b> 14 bytes');
		await browser.call('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads });
		await focus('<b>');
		await page.press('Enter');
		const whole = name => existsSync(`${downloads}/${name}`) &&
			readFileSync(`${downloads}/${name}`, 'utf8') === 'in a directory';
		await until(() => ['<b>', '_b_'].some(whole), 'it is downloaded');
		const upload = (name, size) => page.evaluate((name, size) => {
			const files = new DataTransfer();
			files.items.add(new File(['x'.repeat(size)], name));
			document.querySelector('#upload-files').files = files.files;
			document.querySelector('#upload-files').dispatchEvent(new Event('change'));
		}, name, size);
		await upload('é 100%', 3e6);
		await rows('<b> 14 bytes,é 100% 2.9 MB');
		assert.equal(readFileSync(`${MOUNT}/a/workspace/src/é 100%`, 'utf8'), 'x'.repeat(3e6));
		await page.evaluate(() => document.querySelector('#files-path button').click());
		await rows('src/,new 2.0 KB');
		await upload('src', 1);
		await page.until(() => document.querySelector('#trouble').textContent ===
			'src: there is a directory of that name');
		await page.press('l', 2 + 8);
		await focus('Files');
		await page.press('Enter');
		await page.until(() => document.querySelector('#files').hidden);
		assert.deepEqual(page.complaints, []);
	},

	// Any of 16 million, on dark and on light.
	async colours(web, browser) {
		start('a', 'command printf "\\033[38;2;255;255;0mtrue\\033[0m \\033[33mindexed\\033[0m"; cat\n');
		const page = await look(browser, web, 'a');
		const prefer = value => page.call('Emulation.setEmulatedMedia',
			{ features: [{ name: 'prefers-color-scheme', value }] });
		const colour = (text, is) => page.until((text, is) => [...document.querySelectorAll('.xterm-rows span')]
			.some(span => span.textContent === text && getComputedStyle(span).color === is), text, is);
		await prefer('dark');
		await shows(page, 'true');
		await colour('true', 'rgb(255, 255, 0)');
		await colour('indexed', 'rgb(255, 213, 128)');
		await prefer('light');
		await colour('indexed', 'rgb(138, 97, 0)');
		// yellow on white is too faint
		await page.until(() => [...document.querySelectorAll('.xterm-rows span')].some(span =>
			span.textContent === 'true' && /^rgb\((\d+), \1, 0\)$/.test(getComputedStyle(span).color) &&
			getComputedStyle(span).color !== 'rgb(255, 255, 0)'));
		assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor),
			'rgb(255, 255, 255)');
		assert.deepEqual(page.complaints, []);
	},

	// As long as it runs.
	async usage(web, browser) {
		start('a', 'memory 64M\ncommand while :; do :; done\n');
		const page = await look(browser, web, 'a');
		if (!/^cpu /m.test(read('a/status')) || !/^memory /m.test(read('a/status')))
			return; // this machine does not tell
		const points = what => page.evaluate(what => document.querySelector(`#${what}-graph polyline`)
			.getAttribute('points').split(' ').map(point => Number(point.split(',')[1])), what);
		await page.until(() => /^CPU [1-9]\d* %$/.test(document.querySelector('#cpu-text').innerText));
		await page.until(() => /^Memory .* [KM]B$/.test(document.querySelector('#memory-text').innerText));
		await page.until(() => document.querySelector('#cpu-graph polyline').points.length > 2);
		assert.ok(Math.min(...await points('cpu')) < 18.5, 'above the ground');
		assert.ok((await points('memory')).every(y => y > 1 && y <= 19), 'within the limit');
		put('a/ctl', 'kill\n');
		await page.until(() => document.querySelector('#usage').hidden);
		assert.deepEqual(page.complaints, []);
	},

	async vim(web, browser) {
		start('a', 'command vim -u NONE -N /workspace/file\n');
		const page = await look(browser, web, 'a');
		await shows(page, '\n~ ');
		await page.type('ione two\rthree\x1b');
		await shows(page, 'three');
		await page.type(':syntax on | set number ruler hlsearch\r/two\r');
		await shows(page, 'search hit BOTTOM');
		await reloads(page);
		const { type, modes } = await page.evaluate(everything);
		assert.equal(type, 'alternate');
		assert.ok(modes.applicationCursorKeysMode);
		await page.type(':wq\r');
		await page.until(() => document.querySelector('#state').textContent === 'exited 0');
		assert.equal(read('a/workspace/file'), 'one two\nthree\n');
		assert.deepEqual(page.complaints, []);
	},

	async a_window_resized(web, browser) {
		start('a', BASH);
		const page = await look(browser, web, 'a');
		await shows(page, 'ready>');
		const before = await page.evaluate(everything);
		await page.resize(1400, 900);
		await page.until(async rows => (await import('/page.js')).shown.terminal.rows > rows, before.rows);
		const { rows, cols } = await page.evaluate(everything);
		assert.ok(cols > before.cols);
		await page.type('stty size\r');
		await shows(page, `\n${rows} ${cols}`);
		// what was drawn for another size is where it was then
		await page.type('clear; printf "\\033[30;90Hfar"; read x\r');
		await shows(page, 'far');
		await page.resize(800, 500);
		await page.until(async rows => (await import('/page.js')).shown.terminal.rows < rows, rows);
		await page.type('\rprintf "\\033[30;90Hfar"; seq 3\r');
		await shows(page, '2\n3\nready>');
		await reloads(page);
		assert.deepEqual(page.complaints, []);
	},

	// Both see and type the same, at the size of whoever came last; what is asked is answered once.
	async two_viewers(web, browser) {
		start('a', BASH);
		const one = await look(browser, web, 'a', 1000, 700);
		const two = await look(browser, web, 'a', 800, 500);
		await shows(one, 'ready>');
		await one.type('echo from one\r');
		await shows(two, '\nfrom one');
		await two.type('echo from two\r');
		await shows(one, '\nfrom two\nready>');
		await shows(two, '\nfrom two\nready>');
		await sameAs(one, await two.evaluate(everything));
		assert.equal(await one.evaluate(async () => (await import('/page.js')).shown.terminal.rows),
			     await two.evaluate(async () => (await import('/page.js')).shown.terminal.rows));
		assert.deepEqual(one.complaints, []);
	},

	// What a program asks its terminal is answered by one of those that look, and not by a reload.
	async one_answers(web, browser) {
		start('a', ASKER);
		const one = await look(browser, web, 'a');
		const two = await look(browser, web, 'a');
		await shows(two, 'ready');
		await one.until(async () => (await import('/page.js')).shown.lead);
		await two.type('x');
		await shows(two, 'x: [?1;2 <>');
		await one.close();
		await two.until(async () => (await import('/page.js')).shown.lead);
		await two.type('y');
		await shows(two, 'y: [?1;2 <>');
		await two.reload();
		await isLive(two);
		await two.until(async () => (await import('/page.js')).shown.lead);
		await two.type('z');
		await shows(two, 'x: [?1;2 <>\ny: [?1;2 <>\nz: [?1;2 <>\n');
		assert.deepEqual(two.complaints, []);
		// nobody looks: the session itself does
		await two.close();
		await until(() => read('a/status').includes('\nanswers session\n'));
		put('a/input', 'n');
		read('a/wait/match@0:n:.*<>');
		assert.ok(read('a/transcript').includes('n: [?62;22 <>'));
		// and for a while somebody else, whatever a page that comes does
		const ctl = openSync(`${MOUNT}/a/ctl`, 'w');
		writeSync(ctl, 'answer\n');
		const three = await look(browser, web, 'a');
		await three.type('m');
		await until(() => read('a/transcript').endsWith('\x1b[c'));
		put('a/input', '\x1b[?9c');
		await shows(three, 'm: [?9 <>');
		closeSync(ctl);
		assert.deepEqual(three.complaints, []);
	},

	// Nor is a mode that has the terminal tell of its focus at once.
	async a_reload_tells_nothing(web, browser) {
		const script = 'stty -icanon -echo; printf "\\033[?1004h\\033[?1004l"; echo ready; cat -v';
		start('a', `argv ${JSON.stringify(['sh', '-c', script])}\n`);
		read('a/wait/match@0:ready');
		const page = await look(browser, web, 'a');
		await shows(page, 'ready');
		await page.type('xyz');
		await shows(page, 'xyz');
		assert.equal((await page.evaluate(screen)).trim(), 'ready\nxyz');
	},

	async a_flood(web, browser) {
		start('a', BASH);
		const page = await look(browser, web, 'a');
		await shows(page, 'ready>');
		await page.type('yes\r');
		await shows(page, 'y\ny\ny\n');
		const frames = await page.evaluate(async () => {
			const end = performance.now() + 3000;
			let frames = 0;
			for (; performance.now() < end || frames <= 30; frames++)
				await new Promise(requestAnimationFrame);
			return frames;
		});
		assert.ok(frames > 30);
		await page.type('\x03');
		await shows(page, '^C\nready>');
		await page.type('echo on; seq 3\r');
		await shows(page, '\non\n1\n2\n3\nready>');
		assert.ok(Number(/output-end (\d+)/.exec(read('a/status'))[1]) > 1e6);
		await page.reload();
		await isLive(page);
		await shows(page, '^C\nready> echo on; seq 3\non\n1\n2\n3\nready>');
		assert.deepEqual(page.complaints, []);
	},

	async a_shell_reloaded(web, browser) {
		start('a', BASH);
		const page = await look(browser, web, 'a');
		await shows(page, 'ready>');
		await page.type('seq 200; printf "\\033[1;31mred\\033[0m wide 漢字 \\033[44m\\033[?1h\\n"\r');
		await shows(page, '\nred wide 漢字 \nready>');
		await page.type('half a line');
		await shows(page, 'ready> half a line');
		await reloads(page);
		assert.deepEqual(page.complaints, []);
	},

	async a_replay(web, browser) {
		start('a', BASH);
		const page = await look(browser, web, 'a');
		await shows(page, 'ready>');
		await page.type('seq 50; printf "\\033[32mgreen"; exit 4\r');
		await page.until(() => document.querySelector('#state').textContent === 'exited 4');
		await page.until(async () => {
			const { shown } = await import('/page.js');
			return shown.over && shown.writing === 0;
		});
		const last = await page.evaluate(everything);
		await page.evaluate(() => document.querySelector('#replay').click());
		const finished = () => page.until(() => document.querySelector('#play').textContent === 'Play');
		await page.evaluate(() => {
			document.querySelector('#speed').value = 16;
			document.querySelector('#speed').dispatchEvent(new Event('change'));
		});
		await finished();
		await sameAs(page, last);
		// to the beginning, to the end, and both at once
		const seek = to => page.evaluate(to => {
			const seek = document.querySelector('#seek');
			seek.value = to * seek.max;
			seek.dispatchEvent(new Event('input'));
		}, to);
		await seek(0);
		await page.until(`async () => !(await (${screen})()).includes('seq 50')`);
		await seek(1);
		await sameAs(page, last);
		await Promise.all([seek(0.5), seek(0), seek(1)]);
		await sameAs(page, last);
		await page.evaluate(() => document.querySelector('#live').click());
		await isLive(page);
		await sameAs(page, last);
		assert.deepEqual(page.complaints, []);
	},
};
