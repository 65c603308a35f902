// SPDX-License-Identifier: MIT
// A terminal on the page.
import { Terminal } from '/xterm.js';

// xterm.js makes <style> elements, which the policy allows to those with the page's nonce only.
const { nonce } = document.querySelector('script[nonce]');
const createElement = document.createElement.bind(document);
document.createElement = (name, ...rest) => {
	const element = createElement(name, ...rest);
	if (name.toLowerCase() === 'style')
		element.nonce = nonce;
	return element;
};

// It gives single characters their colour by an attribute, which the policy allows to nobody.
const { setAttribute } = Element.prototype;
HTMLSpanElement.prototype.setAttribute = function (name, value) {
	if (name === 'style')
		this.style.cssText = value;
	else
		setAttribute.call(this, name, value);
};

const DARK = {
	background: '#0f1419', foreground: '#d5dbe3', cursor: '#5ccfe6', selectionBackground: '#33415e',
	black: '#1c232d', red: '#ff8f80', green: '#bae67e', yellow: '#ffd580', blue: '#73b8ff',
	magenta: '#d4a8ff', cyan: '#5ccfe6', white: '#c7d0db', brightBlack: '#76859a',
	brightRed: '#ffa99e', brightGreen: '#cbf096', brightYellow: '#ffe3a8', brightBlue: '#99ccff',
	brightMagenta: '#e2c5ff', brightCyan: '#8be4f5', brightWhite: '#f4f7fa',
};
const LIGHT = {
	background: '#ffffff', foreground: '#1c232d', cursor: '#00708a', selectionBackground: '#b9d7f0',
	black: '#1c232d', red: '#b3261e', green: '#3a7d00', yellow: '#8a6100', blue: '#1f5fbf',
	magenta: '#8a3ab8', cyan: '#00708a', white: '#707c8c', brightBlack: '#56637a',
	brightRed: '#c93a31', brightGreen: '#468c0a', brightYellow: '#996f00', brightBlue: '#2f71d3',
	brightMagenta: '#9a4cc7', brightCyan: '#0a7f9b', brightWhite: '#4a5564',
};
const light = matchMedia('(prefers-color-scheme: light)');
const theme = () => light.matches ? LIGHT : DARK;

// In an element of its own that fills the stage.
export function makeTerminal(stage, options) {
	const host = createElement('div');
	host.className = 'host';
	stage.append(host);
	const terminal = new Terminal({
		windowOptions: { getWinSizeChars: true, getWinSizePixels: true, getCellSizePixels: true },
		theme: theme(), minimumContrastRatio: light.matches ? 4.5 : 1, cursorBlink: true, scrollback: 5000, fontSize: 14, lineHeight: 1.15, // or _ is cut off
		fontFamily: '"DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace',
		...options,
	});
	const onLight = () => {
		if (!host.isConnected)
			light.removeEventListener('change', onLight);
		terminal.options.theme = theme();
		terminal.options.minimumContrastRatio = light.matches ? 4.5 : 1;
	};
	light.addEventListener('change', onLight);
	terminal.open(host);
	return { terminal, host };
}

// More than a screen has, and what xterm.js bears.
const ROWS_MAX = 500, COLS_MAX = 1000;

export const bearable = (rows, cols) =>
	({ rows: Math.min(rows, ROWS_MAX), cols: Math.min(cols, COLS_MAX) });

export function resizeTerminal(terminal, ...size) {
	const { rows, cols } = bearable(...size);
	terminal.resize(cols, rows);
}

// What a program asks its terminal is answered where `mayAnswer()`: not when it is drawn anew from
// what was printed once, and by one of several viewers only.
export function restrainAnswers({ parser }, mayAnswer) {
	const held = () => !mayAnswer();
	const asks = data => held() && data.includes('?');
	for (const prefix of [undefined, '>', '='])
		parser.registerCsiHandler({ prefix, final: 'c' }, held);
	for (const prefix of [undefined, '?']) {
		parser.registerCsiHandler({ prefix, final: 'n' }, held);
		parser.registerCsiHandler({ prefix, intermediates: '$', final: 'p' }, held);
	}
	parser.registerCsiHandler({ prefix: '>', final: 'q' }, held);
	parser.registerCsiHandler({ final: 't' }, held);
	parser.registerDcsHandler({ intermediates: '$', final: 'q' }, held);
	for (const code of [4, 10, 11, 12])
		parser.registerOscHandler(code, asks);
}
