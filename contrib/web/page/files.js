// SPDX-License-Identifier: MIT
// The files of the session's workspace: a list of one directory, which is kept up to date while it
// is seen. Names are text that a program has chosen: they are shown, and nothing else.
import { ask, connect } from '/api.js';
import { bytesText } from '/usage.js';

const $ = id => document.getElementById(id);
const REFRESH_MS = 2000;
const PIECE = 48 * 1024;         // in one message
const UNWRITTEN = 1024 * 1024;   // on the way at a time

function button(text, label, action) {
	const made = document.createElement('button');
	made.textContent = text;
	made.ariaLabel = label;
	made.addEventListener('click', action);
	return made;
}

// One file, whole or not at all.
function put(session, path, file) {
	const socket = connect(`/put/${session}`);
	let sent = 0, written = 0, trouble = null, done = false;
	const send = async () => {
		while (sent < file.size && sent - written < UNWRITTEN && socket.readyState === 1) {
			const from = sent;
			sent = Math.min(sent + PIECE, file.size);
			socket.send(await file.slice(from, sent).arrayBuffer());
		}
	};
	return new Promise((resolve, reject) => {
		let sending = Promise.resolve();
		const proceed = () => {
			sending = sending.then(send).catch(error => {
				trouble ??= error.message;
				socket.close();
			});
		};
		socket.onopen = () => socket.send(JSON.stringify({ path, size: file.size }));
		socket.onmessage = ({ data }) => {
			const message = JSON.parse(data);
			written += message.written ?? 0;
			trouble = message.trouble ?? trouble;
			done ||= message.done === true;
			proceed();
		};
		socket.onclose = () => done ? resolve() :
			reject(new Error(`${file.name}: ${trouble ?? 'the connection has ended'}`));
	});
}

export class Files {
	constructor({ tell }) {
		Object.assign(this, { tell, name: '', open: false, path: [], shown: null });
		$('upload').addEventListener('click', () => $('upload-files').click());
		$('upload-files').addEventListener('change', () => {
			this.upload([...$('upload-files').files]);
			$('upload-files').value = '';
		});
		$('files').addEventListener('dragover', event => event.preventDefault());
		$('files').addEventListener('drop', event => {
			event.preventDefault();
			this.upload([...event.dataTransfer.files]);
		});
		setInterval(() => document.hidden || this.refresh(), REFRESH_MS);
	}

	show(name) {
		if (name !== this.name)
			this.path = [];
		this.name = name;
		this.reveal();
	}

	toggle() {
		this.open = !this.open;
		this.reveal();
	}

	reveal() {
		const seen = this.open && this.name !== '';
		$('files').hidden = !seen;
		$('files-button').ariaExpanded = String(seen);
		this.shown = null;
		this.refresh();
	}

	// Of each part of the path: what is shown, and how the server has it.
	go(path) {
		this.path = path;
		this.shown = null;
		this.refresh().then(() => $('files-path').lastElementChild?.focus());
	}

	address(kind, ...more) {
		return `/sessions/${this.name}/${kind}/` +
			[...this.path.map(({ path }) => path), ...more].join('/');
	}

	async refresh() {
		if ($('files').hidden)
			return;
		const address = this.address('files');
		let text;
		try {
			text = await (await ask('GET', address)).text();
		} catch (error) {
			text = JSON.stringify({ entries: [], trouble: error.message });
		}
		// Only what has changed is drawn: the focus stays where it is.
		if (address !== this.address('files') || text === this.shown)
			return;
		this.shown = text;
		this.draw(JSON.parse(text));
	}

	draw({ entries, more, trouble }) {
		const parts = [{ name: 'workspace' }, ...this.path];
		$('files-path').replaceChildren(...parts.flatMap(({ name }, i) => [...(i ? [' / '] : []),
			button(name, `Directory ${name}`, () => this.go(this.path.slice(0, i)))]));
		$('files-path').lastElementChild.ariaCurrent = 'location';
		const focused = document.activeElement?.dataset?.path;
		$('entries').replaceChildren(...entries.map(entry => this.row(entry)));
		[...$('entries').querySelectorAll('[data-path]')]
			.find(each => each.dataset.path === focused)?.focus();
		$('files-note').textContent = trouble ?? (more ? 'There are more files than these.' :
			entries.length ? '' : 'Empty. Drop files here, or choose Upload.');
	}

	row({ name, path, kind, size }) {
		const item = document.createElement('li');
		if (kind === 'directory')
			item.append(button(`${name}/`, `Open directory ${name}`,
				() => this.go([...this.path, { name, path }])));
		else if (kind === 'file')
			item.append(button(name, `Download ${name}, ${bytesText(size)}`,
				() => this.download(name, path)));
		else
			item.append(Object.assign(document.createElement('span'), { textContent: name }));
		if (item.firstChild.dataset)
			item.firstChild.dataset.path = path;
		item.append(Object.assign(document.createElement('span'),
			{ className: 'size', textContent: kind === 'file' ? bytesText(size) : kind === 'directory' ?
				'' : kind }));
		return item;
	}

	async download(name, path) {
		try {
			const bytes = await (await ask('GET', this.address('file', path))).blob();
			const link = document.createElement('a');
			link.href = URL.createObjectURL(bytes);
			link.download = name;
			link.click();
			setTimeout(() => URL.revokeObjectURL(link.href), 60000);
		} catch (error) {
			this.tell(`${name}: ${error.message}`);
		}
	}

	// One after another, to the directory that is shown now.
	async upload(all) {
		const { name } = this, base = this.path.map(({ path }) => path);
		for (const file of all) {
			$('files-note').textContent = `Uploading ${file.name} …`;
			try {
				await put(name, [...base, encodeURIComponent(file.name)].join('/'), file);
			} catch (error) {
				this.tell(error.message);
			}
		}
		this.shown = null;
		await this.refresh();
	}
}
