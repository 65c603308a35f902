#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""suites.py SUITE...: in a machine of contrib/vm, runs tests that were built at /src elsewhere."""
import json
import os
import re
import shutil
import subprocess
import sys
import time

SHARE = '/mnt/share'
TESTS = '/src/build/tests'


def run(test, factor):
    """Runs one as root in a scope of its own; returns what it printed and its status."""
    command = ['systemd-run', '--scope', '-q', '-p', 'Delegate=yes', '-p', 'TasksMax=infinity',
               '--'] + test['cmd']
    log = f'{SHARE}/out/{test["name"]}.log'
    with open(log, 'w') as out:
        try:
            status = subprocess.run(command, env={**os.environ, **test['env']}, stdout=out,
                                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                    timeout=test['timeout'] * factor).returncode
        except subprocess.TimeoutExpired:
            status = f'out of time ({test["timeout"] * factor} s)'
    with open(log, errors='replace') as said:
        return re.sub('\033\\[[0-9;]*m', '', said.read()), status


def main():
    shutil.copytree(f'{SHARE}/src', '/src', symlinks=True)
    factor = subprocess.run([f'{TESTS}/measure'], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    os.environ['MIMOBOX_TEST_FACTOR'] = factor
    print(f'bounds times {factor}', flush=True)
    with open('/src/build/meson-info/intro-tests.json') as tests:
        known = {test['name']: test for test in json.load(tests)}
    os.makedirs(f'{SHARE}/out', exist_ok=True)
    bad = 0
    for name in sys.argv[1:]:
        if name not in known:
            print(f'{name}: no such suite')
            bad += 1
            continue
        began = time.monotonic()
        said, status = run(known[name], int(factor))
        closing = re.findall(r'^.*Synthesis: .*$', said, re.M)
        took = f'{time.monotonic() - began:.0f} s'
        print(f'{name} ({took}): {closing[-1] if closing else "no closing line"}, status {status}')
        if status != 0 or not closing:
            bad += 1
            for line in said.splitlines():
                if re.match(r'^\[(FAIL|CRASH|SKIP|----|ERR)', line) and 'Synthesis' not in line:
                    print('    ' + line)
        sys.stdout.flush()
    return bad > 0


sys.exit(main())
