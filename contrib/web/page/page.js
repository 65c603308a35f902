// SPDX-License-Identifier: MIT
// The page. Its address says what is shown: #/NAME, or #/NAME/replay.
import { ask } from '/api.js';
import { Files } from '/files.js';
import { List, stateOf } from '/list.js';
import { Live } from '/live.js';
import { Player } from '/player.js';
import { Usage } from '/usage.js';

const $ = id => document.getElementById(id);
export let shown = null; // a Live, a Player, or nothing

let told = 0;
function tell(text) {
	$('trouble').textContent = text;
	clearTimeout(told);
	told = setTimeout(() => { $('trouble').textContent = ''; }, 8000);
}

function onKey(event) {
	if (!event.ctrlKey || !event.shiftKey || event.code !== 'KeyL')
		return true;
	event.preventDefault();
	if (event.type === 'keydown')
		list.focus();
	return false;
}

function route() {
	const [, name = '', what] = location.hash.split('/');
	return { name: /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name) ? name : '', replay: what === 'replay' };
}

function clock(seconds) {
	const whole = Math.floor(seconds);
	return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function onTime(now, duration, playing) {
	$('seek').max = duration || 1;
	$('seek').value = now;
	$('seek').ariaValueText = clock(now);
	$('time').textContent = `${clock(now)} / ${clock(duration)}`;
	$('play').textContent = playing ? 'Pause' : 'Play';
}

function show() {
	const { name, replay } = route();
	shown?.close();
	shown = null;
	$('trouble').textContent = '';
	$('empty').hidden = name !== '';
	$('player').hidden = !replay;
	if (name && replay) {
		shown = new Player($('stage'), name, { onTime, onKey });
		shown.ready.catch(error => tell(error.message));
		shown.speed = Number($('speed').value);
	} else if (name) {
		shown = new Live($('stage'), name, { tell, onKey });
		shown.terminal.focus();
	}
	list.select(name);
	files.show(name);
	describe();
}

function describe() {
	const { name, replay } = route();
	const session = list.sessions.get(name);
	document.title = name ? `${name} – mimobox` : 'mimobox';
	$('name').textContent = name || 'No session';
	$('state').textContent = session ? stateOf(session) : name ? 'no such session' : '';
	$('actions').hidden = !session;
	usage.show(session?.state === 'running' ? name : '');
	$('start').hidden = session?.state !== 'created';
	$('replay').hidden = replay;
	$('live').hidden = !replay;
	$('kill').disabled = session?.state !== 'running';
	$('remove').disabled = ['running', 'starting', 'draining'].includes(session?.state);
}

// A session that is shown has gone: so does what shows it.
function onChange(name) {
	const { name: current } = route();
	if (name === current && shown && !list.sessions.has(current))
		location.hash = '';
	list.select(current);
	describe();
}

const attempt = action => async event => {
	event.preventDefault();
	try {
		await action();
	} catch (error) {
		tell(error.message);
	}
};

// It starts when its terminal is there, with its size and ready to answer.
async function create() {
	const settings = ['memory', 'cpu', 'timeout', 'network'].map(key => [key, $(key).value.trim()]);
	const made = await ask('POST', '/sessions',
		{ command: $('command').value, ...Object.fromEntries(settings) });
	const { name } = await made.json();
	$('command').value = '';
	location.hash = `#/${name}`;
	show();
	await shown.ready;
	await ask('POST', `/sessions/${name}/ctl`, { verb: 'start' });
}

const control = verb => () => ask('POST', `/sessions/${route().name}/ctl`, { verb });

const files = new Files({ tell });
const usage = new Usage();
const list = new List($('list'), $('none'), { onChange, tell });
window.addEventListener('hashchange', () => {
	if (!shown || shown.name !== route().name || (shown instanceof Player) !== route().replay)
		show();
});
$('new').addEventListener('submit', attempt(create));
$('start').addEventListener('click', attempt(control('start')));
$('kill').addEventListener('click', attempt(control('kill')));
$('remove').addEventListener('click', attempt(() => ask('DELETE', `/sessions/${route().name}`)));
$('replay').addEventListener('click', () => { location.hash = `#/${route().name}/replay`; });
$('live').addEventListener('click', () => { location.hash = `#/${route().name}`; });
$('files-button').addEventListener('click', () => files.toggle());
$('play').addEventListener('click', () => shown.playing ? shown.pause() : shown.play());
$('seek').addEventListener('input', () => shown.seek(Number($('seek').value)));
$('speed').addEventListener('change', () => { shown.speed = Number($('speed').value); });
document.addEventListener('keydown', onKey);
show();
