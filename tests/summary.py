#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/summary.py FAILED TESTLOG...: what a run of the tests comes to, its last line the sum.

Prints the closing line of each test runner, then, for each that failed, what failed in it. FAILED
is how many checks failed before the tests. A TESTLOG is meson's testlog.json. The part on failures
is bounded, so that the end of a log has all of it.
"""
import json
import re
import sys

LINES, LINES_OF_ONE, WIDTH = 60, 10, 300


def cases_of(output):
    """The failed tests of one runner, each with its assertions, which Criterion prints before its name."""
    cases, lines = [], []
    for line in output.splitlines():
        told = re.match(r'\[----\] +(\S.*)', line)
        place = re.match(r'\[----\] +(?:.*/)?(\w+\.\w+:\d+): (.*)', line)
        name = re.match(r'\[FAIL\] +(\S+?):? (CRASH!|Timed out)?', line)
        if place:
            lines.append(place[1] + ':' + ('' if place[2] == 'Assertion Failed' else ' ' + place[2]))
        elif told and lines:
            lines[-1] += ' ' + told[1]
        elif told:
            lines.append(told[1])
        elif name:
            cases.append((name[1] + (f' ({name[2]})' if name[2] else ''), lines))
        if name or re.match(r'\[(?:PASS|SKIP|RUN )', line):
            lines = []
    if lines:
        cases.append(('outside of a test', lines))
    return cases


def told_of(name, result, output):
    """At most LINES_OF_ONE lines; those of a test begin with its name and its first assertion."""
    cases = cases_of(output)
    if not cases:
        last = [line for line in output.splitlines() if line.strip()][-3:]
        return [f'{name}: {result}, after'] + ['    ' + line for line in last]
    share = max(1, (LINES_OF_ONE - 1) // len(cases))
    lines = [f'{name}: {result}']
    for case, assertions in cases:
        lines.append('  ' + ': '.join([case] + assertions[:1]))
        lines += ['    ' + line for line in assertions[1:share]]
        if assertions[share:]:
            lines[-1] += f' [{len(assertions) - share} more]'
    return bounded(lines, LINES_OF_ONE)


def bounded(lines, most):
    return lines if len(lines) <= most else lines[:most - 1] + [f'[{len(lines) - most + 1} more lines]']


def main():
    passed, failed, told = 0, int(sys.argv[1]), []
    for test in (json.loads(line) for log in sys.argv[2:] for line in open(log, encoding='utf-8')):
        name = test['name'].split(':')[-1].strip()
        output = re.sub('\033\\[[0-9;]*m', '', test.get('stdout', '') + test.get('stderr', ''))
        closing = re.findall(r'^.*Synthesis: Tested: .*$', output, re.M)
        bad = 1
        if not closing:
            print(f'{name}: no closing line: {test["result"]}')
        else:
            count = dict(re.findall(r'(\w+): (\d+)', closing[-1]))
            bad = int(count['Failing'])
            if not bad and test['returncode'] != 0:
                print(f'{name}: {test["result"]}, see its log')
                bad = 1
            print(closing[-1].strip(), '|', name)
            passed += int(count['Passing'])
        if bad:
            told += told_of(name, test['result'], output)
        failed += bad
    if told:
        print('== what failed')
        print('\n'.join(line[:WIDTH] for line in bounded(told, LINES)))
    print(f'{passed} passed, {failed} failed')
    return failed > 0 or passed == 0


sys.exit(main())
