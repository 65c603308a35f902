// SPDX-License-Identifier: MIT
// The code interpreter, by its own SDK.

import assert from 'node:assert/strict';
import { Sandbox } from '@e2b/code-interpreter';
import { fails, until, within } from './server.mjs';

export const values_and_output = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.runCode('x = 20');
		const lines = [];
		const execution = await sandbox.runCode('import sys\nprint("out", x)\nprint("err", file=sys.stderr)\nx + 22', {
			onStdout: (message) => void lines.push(message.line),
		});
		assert.equal(execution.text, '42');
		assert.deepEqual(execution.logs, { stdout: ['out 20\n'], stderr: ['err\n'] });
		assert.deepEqual(lines, ['out 20\n']);
		assert.equal(execution.error, undefined);
		assert.equal(execution.executionCount, 2);
		assert.equal((await sandbox.runCode('')).text, undefined);
	});

export const errors = () =>
	within(Sandbox, async (sandbox) => {
		const { error } = await sandbox.runCode('def f():\n  return 1/0\nf()');
		assert.equal(error.name, 'ZeroDivisionError');
		assert.equal(error.value, 'division by zero');
		assert.match(error.traceback, /line 2, in f/);
		assert.equal((await sandbox.runCode('x = (')).error.name, 'SyntaxError');
		assert.equal((await sandbox.runCode('6 * 7')).text, '42');
		assert.equal((await sandbox.runCode('raise SystemExit(3)')).error.name, 'SystemExit');
		const ended = await sandbox.runCode('import os; os._exit(1)');
		assert.equal(ended.error.name, 'ExecutionError');
		assert.equal((await sandbox.runCode('1 + 1')).text, '2');
	});

export const rich_results = () =>
	within(Sandbox, async (sandbox) => {
		const execution = await sandbox.runCode(
			'class Table:\n  def _repr_html_(self): return "<b>x</b>"\n' +
				'  def _repr_png_(self): return b"png"\n  def __repr__(self): return "table"\n' +
				'display(Table(), 3)\nTable()',
		);
		assert.deepEqual(execution.results.map((one) => one.text), ['table', '3', 'table']);
		assert.equal(execution.results[2].html, '<b>x</b>');
		assert.equal(execution.results[2].png, Buffer.from('png').toString('base64'));
		assert.equal(execution.text, 'table');
	});

export const what_else_a_cell_does = () =>
	within(Sandbox, async (sandbox) => {
		const shell = await sandbox.runCode('!echo from the shell');
		assert.equal(shell.logs.stdout.join(''), 'from the shell\n');
		// The kernel marks the end of what a cell prints: what looks like a part of the mark is not lost.
		const part = await sandbox.runCode(
			"import os, sys\n_ = os.write(1, b'text' + sys.stdout.end[:1])",
		);
		assert.equal(part.logs.stdout.join(''), 'text\ufffd');
		assert.equal((await sandbox.runCode('import asyncio\nawait asyncio.sleep(0)\n7')).text, '7');
		await sandbox.files.write('data.csv', 'a,b\n1,2\n');
		assert.equal((await sandbox.runCode("open('data.csv').read()")).text, "'a,b\\n1,2\\n'");
		const code = "import os\nos.environ.get('KEY', 'none')";
		assert.equal((await sandbox.runCode(code, { envs: { KEY: 'v' } })).text, "'v'");
		assert.equal((await sandbox.runCode(code)).text, "'none'");
	});

export const contexts = () =>
	within(Sandbox, async (sandbox) => {
		const context = await sandbox.createCodeContext({ cwd: '/tmp' });
		assert.deepEqual([context.language, context.cwd], ['python', '/tmp']);
		await sandbox.runCode('x = 1', { context });
		assert.equal((await sandbox.runCode('x')).error.name, 'NameError');
		assert.equal((await sandbox.runCode('import os; os.getcwd(), x', { context })).text, "('/tmp', 1)");
		await sandbox.restartCodeContext(context);
		assert.equal((await sandbox.runCode('x', { context })).error.name, 'NameError');
		assert((await sandbox.listCodeContexts()).some((one) => one.id === context.id));
		await sandbox.removeCodeContext(context);
		await fails(sandbox.runCode('1', { context }), Error, 'not found');
		await fails(sandbox.runCode('1', { language: 'r' }), Error, 'not served');
	});

/** What runs too long is interrupted, and the names are there after it. */
export const timeout = () =>
	within(Sandbox, async (sandbox) => {
		await sandbox.runCode('x = 5');
		await fails(sandbox.runCode('import time; time.sleep(1000)', { timeoutMs: 500 }), Error, 'timed out');
		let text;
		await until(async () => (text = (await sandbox.runCode('x')).text) !== undefined, 'it goes on');
		assert.equal(text, '5');
	});
