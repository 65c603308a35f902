#!/usr/bin/python3
"""Runs untrusted code, with limits: session.py < CODE"""
import json
import os
import re
import signal
import sys
import tempfile


class Session:
    """with Session(['cc', 'a.c'], {'a.c': b'...'}, memory='64M') as s: s.start(); s.read('exit')

    `files` are laid in /workspace, where it begins; keys of the config, with _ for -, are further
    arguments. A value is one line: one with a control character is refused.
    """

    def __init__(self, argv, files={}, **config):
        self.path = tempfile.mkdtemp(prefix='py.', dir=os.environ.get('MIMOBOX', '/run/mimobox'))
        self.config = {'argv': json.dumps(argv), 'cwd': '/workspace', 'terminal': 'no', **config}
        self.files = files

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.rmdir(self.path)  # and every process of it is gone

    def start(self):
        for name, data in self.files.items():
            with open(f'{self.path}/workspace/{name}', 'wb') as file:
                file.write(data)
            os.chmod(f'{self.path}/workspace/{name}', 0o755)
        for key, value in self.config.items():
            line = f'{key.replace("_", "-")} {value}'
            if re.search(r'[\x00-\x1f\x7f]', line):
                raise ValueError(f'a control character in {line!r}')
            self.write('config', f'{line}\n')
        self.write('ctl', 'start\n')

    def write(self, name, text):
        try:
            with open(f'{self.path}/{name}', 'w') as file:
                file.write(text)
        except OSError as error:
            error.add_note(self.read('log').decode().splitlines()[-1])  # says why
            raise

    def read(self, name, limit=-1):
        with open(f'{self.path}/{name}', 'rb') as file:
            return file.read(limit)

    def status(self):
        return dict(line.split(' ', 1) for line in self.read('status').decode().splitlines())


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the session is removed
    with Session(['python3', '-I', '/workspace/code.py'], {'code.py': sys.stdin.buffer.read()},
                 memory='128M', processes=16, timeout='5s') as session:
        session.start()
        session.write('ctl', 'eof\n')
        output = session.read('output', 1 << 20)  # no more is wanted
        session.write('ctl', 'kill\n')
        session.read('exit')
        errors = session.read('stderr', 1 << 20)
        sys.stdout.buffer.write(output + errors + b'\n')
        status = session.status()  # on the last line, which the code cannot begin
        print('exit', status['exit'], 'reason', status['reason'], 'cpu', status['cpu'])
