# SPDX-License-Identifier: MIT
"""What is done to the mount for hours: lives of sessions of which every answer is known."""
import errno
import json
import os
import random
import select
import threading
import time

import client as clients

WAIT = 60 * int(os.environ.get('MIMOBOX_TEST_FACTOR', 1))  # seconds until an answer is missing


class Wrong(Exception):
    """An answer that is not the right one."""


def same(got, right, what):
    if got != right:
        shown = [repr(one)[:200] for one in (got, right)]
        raise Wrong(f'{what}: {shown[0]}, not {shown[1]}')


def argv(*words):
    return 'argv ' + json.dumps(words)


class Session:
    """Made by whoever the thread acts as; gone when the block ends."""

    def __init__(self, soak, name, *lines):
        self.soak, self.path = soak, f'{soak.mount.path}/{name}'
        os.mkdir(self.path)
        try:
            self.put('config', '\n'.join(lines) + '\n')
            begun = time.perf_counter()
            self.start()
            soak.starts.append(time.perf_counter() - begun)
        except BaseException:
            self.remove()
            raise

    def start(self):
        """Nobody else starts it: where it has been, a write was interrupted, and done again."""
        try:
            self.put('ctl', 'start\n')
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            self.soak.again += 1

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.remove()

    def remove(self):
        if self.path:
            os.rmdir(self.path)
        self.path = None

    def put(self, file, data):
        data = data.encode() if isinstance(data, str) else data
        fd = os.open(f'{self.path}/{file}', os.O_WRONLY)
        try:
            while data:
                data = data[os.write(fd, data):]
        finally:
            os.close(fd)

    def open(self, file, flags=0):
        return os.open(f'{self.path}/{file}', os.O_RDONLY | flags)

    def get(self, file):
        """To the end, which a session that hangs never has: polled, so that it is said."""
        fd, text = self.open(file), b''
        try:
            while piece := read(fd, len(text), file):
                text += piece
        finally:
            os.close(fd)
        return text

    def ended(self, status, reason=None):
        same(self.get('exit'), b'%d\n' % status, 'exit')
        if reason:
            values = dict(line.partition(' ')[::2]
                          for line in self.get('status').decode().splitlines())
            same(values['reason'], reason, 'reason')


def read(fd, at, what):
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    if not poller.poll(WAIT * 1000):
        raise Wrong(f'{what}: nothing comes at {at}')
    return os.pread(fd, 1 << 16, at)


def short(soak, name, rng):
    status = rng.randrange(256)
    text = f'{name} {rng.random()}'
    with Session(soak, name, f"command printf '{text}\\n'; exit {status}") as session:
        same(session.get('output'), text.encode() + b'\r\n', 'output')
        session.ended(status, 'exit')


def flood(soak, name, rng):
    """Two readers, and less kept than is printed: nothing is lost."""
    lines = rng.randrange(20000, 200000)
    right = ''.join(f'{i}\n' for i in range(1, lines + 1)).encode()
    with Session(soak, name, argv('sh', '-c', f'read x; seq {lines}'), 'terminal no',
                 'retain 256K') as session:
        readers = [[session.open('output'), 0] for _ in range(2)]
        session.put('input', '\n')
        try:
            going = True
            while going:
                going = False
                for one in readers:
                    piece = read(one[0], one[1], 'output of a flood')
                    same(piece, right[one[1]:one[1] + len(piece)], f'a flood at {one[1]}')
                    one[1] += len(piece)
                    going |= bool(piece)
            same([one[1] for one in readers], 2 * [len(right)], 'the sizes of a flood')
        finally:
            for one in readers:
                os.close(one[0])
        session.ended(0)


def dropped(soak, name, rng):
    """A reader left behind is told so once, and then has the end of it all."""
    right = ''.join(f'{i}\n' for i in range(1, 100001)).encode()
    with Session(soak, name, argv('sh', '-c', 'read x; seq 100000'), 'terminal no', 'retain 64K',
                 'overflow drop') as session:
        fd = session.open('output')
        session.put('input', '\n')
        session.ended(0)
        try:
            os.pread(fd, 10, 0)
            raise Wrong('what was dropped was read')
        except OSError as error:
            same(error.errno, errno.ESTALE, 'errno of what was dropped')
        finally:
            os.close(fd)
        kept = session.get('transcript')
        if not 32768 <= len(kept) <= 65536 or not right.endswith(kept):
            raise Wrong(f'of what was dropped {len(kept)} bytes are kept')


def typed(soak, name, rng):
    with Session(soak, name, argv('cat'), 'terminal no') as session:
        fd, size = session.open('output'), 0
        try:
            for _ in range(8):
                data = rng.randbytes(rng.randrange(1, 40000))
                session.put('input', data)
                got = b''
                while len(got) < len(data):
                    got += read(fd, size + len(got), 'output of cat')
                same(got, data, 'what was typed')
                size += len(data)
        finally:
            os.close(fd)
        session.put('ctl', 'eof\n')
        session.ended(0, 'exit')


def asked(soak, name, rng):
    with Session(soak, name, 'command echo one; read x; echo two; read x; echo three') as session:
        same(session.get('wait/match@0:one'), b'match 3\n', 'wait/match@0:one')
        session.put('input', 'a\n')
        same(session.get('wait/match@0:two'), b'match 11\n', 'wait/match@0:two')
        session.put('input', 'b\n')
        same(session.get('wait/exit')[:5], b'exit ', 'wait/exit')
        same(session.get('output'), b'one\r\na\r\ntwo\r\nb\r\nthree\r\n', 'output of a dialogue')
        session.ended(0)


def idle(soak, name, rng):
    with Session(soak, name, 'command echo one; read x') as session:
        same(session.get('wait/match@0:one'), b'match 3\n', 'wait/match@0:one')
        same(session.get('wait/idle:100ms'), b'idle 5\n', 'wait/idle')


def removed(soak, name, rng):
    """Those who wait are let go."""
    with Session(soak, name, argv('cat')) as session:
        fds = [session.open(file) for file in ('output', 'exit', 'wait/exit')]
        done = []

        def wait(fd):
            done.append(os.pread(fd, 100, 0))

        threads = [threading.Thread(target=wait, args=(fd,), daemon=True) for fd in fds]
        for thread in threads:
            thread.start()
        time.sleep(rng.random() / 50)
        session.remove()
        for thread in threads:
            thread.join(WAIT)
        same(len(done), 3, 'how many of three who waited were let go')
        for fd in fds:
            os.close(fd)


def polled(soak, name, rng):
    with Session(soak, name, 'command read x; echo answer; read x; exit 5') as session:
        fds = {session.open(file): file for file in ('output', 'exit')}
        poller = select.epoll()
        for fd in fds:
            poller.register(fd, select.EPOLLIN | select.EPOLLET)
        session.put('input', 'q\n')
        seen = set()
        output = b''
        until = time.monotonic() + WAIT
        while 'exit' not in seen and time.monotonic() < until:
            for fd, _ in poller.poll(1):
                seen.add(fds[fd])
                if fds[fd] == 'output':
                    while piece := os.pread(fd, 100, len(output)):
                        output += piece
                        if output.endswith(b'answer\r\n'):
                            session.put('input', 'q\n')
                            break
        poller.close()
        for fd in fds:
            os.close(fd)
        same(seen, {'output', 'exit'}, 'what was polled')
        session.ended(5)


def killed(soak, name, rng):
    deaf = rng.random() < 0.5
    trap, grace = ("trap '' TERM; ", '50ms') if deaf else ('', '60s')
    with Session(soak, name, f'command {trap}echo up; setsid cat; cat',
                 f'kill-grace {grace}') as session:
        session.get('wait/match@0:up')
        session.put('ctl', 'kill\n')
        session.ended(-9 if deaf else -15, 'kill')


def timed(soak, name, rng):
    with Session(soak, name, argv('cat'), 'timeout 300ms', 'kill-grace 60s') as session:
        session.ended(-15, 'timeout')


def signalled(soak, name, rng):
    signal = rng.choice([1, 3, 9, 10, 15])
    with Session(soak, name, argv('cat'), 'processes 4', 'memory 32M') as session:
        session.put('ctl', f'stop\ncont\nsignal {signal}\n')
        session.ended(-signal, 'signal')


LOADS = [(8, short), (2, flood), (1, dropped), (3, typed), (3, asked), (2, idle), (2, removed),
         (2, polled), (3, killed), (2, timed), (2, signalled)]


def one_of(soak, number):
    """A random life, as a random user."""
    rng = random.Random(f'{soak.seed}/{number}')
    load = rng.choices([load for _, load in LOADS], [weight for weight, _ in LOADS])[0]
    clients.act_as(rng.choice(soak.users))
    load(soak, f'{load.__name__}-{number}', rng)


class Shell:
    """
    One that lives as long as the soak does, and is typed at. When each of the bytes that are kept
    came is known of it, so it has reached all that it holds when so many have come.
    """

    TYPED = 64

    def __init__(self, soak, number):
        self.soak, self.number = soak, number
        self.rng = random.Random(f'{soak.seed}/shell/{number}')
        self.thread = threading.Thread(target=soak.guard, args=(self.live,), daemon=True)
        self.thread.start()

    def live(self):
        clients.act_as(self.soak.users[self.number % len(self.soak.users)])
        with Session(self.soak, f'shell-{self.number}',
                     "command stty raw -echo; printf !; exec cat", 'retain 64K') as session:
            out = session.open('output')
            to = os.open(f'{session.path}/input', os.O_WRONLY)
            same(read(out, 0, 'a shell'), b'!', 'the first byte')
            at = 1
            while not self.soak.over.wait(self.rng.random() * 0.4):
                typed = self.rng.randbytes(self.TYPED)
                begun = time.perf_counter()
                os.write(to, typed)
                got = read(out, at, 'echo')
                self.soak.echoes.append(time.perf_counter() - begun)
                while len(got) < len(typed):
                    got += read(out, at + len(got), 'echo')
                same(got, typed, 'echo')
                at += len(typed)
            os.close(out)
            os.close(to)


class Parked(Shell):
    """Waits for the end of a session of its own, which comes with that of the soak."""

    def live(self):
        clients.act_as(self.soak.users[self.number % len(self.soak.users)])
        with Session(self.soak, f'parked-{self.number}', argv('cat')) as session:
            threads = [threading.Thread(target=self.soak.guard, args=(self.wait, session, file),
                                        daemon=True) for file in ('exit', 'output', 'wait/exit')]
            for thread in threads:
                thread.start()
            self.soak.over.wait()
            session.put('ctl', 'eof\n')
            for thread in threads:
                thread.join(WAIT)
                same(thread.is_alive(), False, 'whether it waits still')

    def wait(self, session, file):
        clients.act_as(self.soak.users[self.number % len(self.soak.users)])
        fd = session.open(file)
        got = os.pread(fd, 100, 0)
        os.close(fd)
        same(got, {'exit': b'0\n', 'output': b'', 'wait/exit': b'exit 0\n'}[file], file)
