# SPDX-License-Identifier: MIT
"""A mimoboxfs of our own, on a mount point of our own."""
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36

FACTOR = int(os.environ.get('MIMOBOX_TEST_FACTOR', 1))


class Mount:
    """Everything lies in one new directory; end() says what was wrong, and leaves nothing."""

    def __init__(self, daemon, options=()):
        # The daemon goes to the background by itself, and becomes our child then.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.daemon, self.options, self.pid = daemon, list(options), 0
        self.directory = tempfile.mkdtemp(prefix='mimobox-model-')
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, 'm')
        self.errors = os.path.join(self.directory, 'errors')
        for name in ('s', 'w'):
            os.mkdir(os.path.join(self.directory, name))
        self.start()

    def start(self):
        before = set(children())
        with open(self.errors, 'ab') as errors:
            result = subprocess.run(
                [self.daemon, '--spool', os.path.join(self.directory, 's'), '--workspaces',
                 os.path.join(self.directory, 'w'), *self.options, self.path],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, timeout=60 * FACTOR, check=False)
        new = [pid for pid in children() if pid not in before]
        if result.returncode != 0 or len(new) != 1:
            raise RuntimeError(f'mimoboxfs: exit status {result.returncode}, {self.said()}')
        self.pid = new[0]

    def said(self):
        with open(self.errors, encoding='utf-8', errors='replace') as file:
            return file.read()

    def lives(self):
        if not self.pid:
            return False
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.pid = 0
            self.died = status
        return not pid

    def again(self):
        """After a crash a new daemon mounts over the dead mount by itself."""
        if not self.lives():
            self.start()

    def finish(self, seconds=60 * FACTOR):
        """SIGTERM, and what it left: a list of what is wrong."""
        wrong = []
        if self.lives():
            os.kill(self.pid, signal.SIGTERM)
            until = time.monotonic() + seconds
            while self.lives() and time.monotonic() < until:
                time.sleep(0.01)
            if self.pid:
                wrong.append(f'the daemon has not ended in {seconds} s')
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            elif self.died:
                wrong.append(f'the daemon ended with {os.waitstatus_to_exitcode(self.died)}')
        else:
            wrong.append('the daemon has died')
        if os.path.ismount(self.path):
            wrong.append('it is mounted still')
            subprocess.run(['umount', '-l', self.path], check=False)
        for name in ('s', 'w'):
            left = os.listdir(os.path.join(self.directory, name))
            if left:
                wrong.append(f'left in {name}: {" ".join(sorted(left)[:8])}')
        said = self.said()
        if said:
            wrong.append(f'it said: {said}')
        shutil.rmtree(self.directory, ignore_errors=True)
        return wrong


def children(pid='self'):
    """Of all threads of a process."""
    found = []
    for task in os.listdir(f'/proc/{pid}/task'):
        try:
            with open(f'/proc/{pid}/task/{task}/children', encoding='ascii') as file:
                found += [int(word) for word in file.read().split()]
        except FileNotFoundError:
            pass
    return found
