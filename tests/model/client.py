# SPDX-License-Identifier: MIT
"""
Clients of the mount: system calls as users make them, with their errno for an answer.

What the model says is answered at once is done by the process itself, in the name of the user
(setfsuid(2), which is the thread's own). What may wait is done by the client's thread. Calls go
through ctypes, for Python's own would not show an interruption.
"""
import ctypes
import errno
import os
import queue
import select
import signal
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.pread.restype = LIBC.write.restype = ctypes.c_ssize_t
LIBC.pread.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_long]
LIBC.write.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]


class Hung(Exception):
    """A call that is answered at once was not."""


class Paused(Exception):
    """
    Everything was stopped for a while, by SIGSTOP, say: a call on FUSE is interrupted by that, and
    what is late has a reason. Nothing can be said of an answer then.
    """


class Failed:
    """A call that was refused."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return isinstance(other, Failed) and other.number == self.number

    def __hash__(self):
        return hash(self.number)

    def __repr__(self):
        return errno.errorcode.get(self.number, str(self.number))


def pread(fd, size, offset):
    buffer = ctypes.create_string_buffer(size)
    count = LIBC.pread(fd, buffer, size, offset)
    return Failed(ctypes.get_errno()) if count < 0 else buffer.raw[:count]


def write(fd, data):
    count = LIBC.write(fd, data, len(data))
    return Failed(ctypes.get_errno()) if count < 0 else count


def poll(fd, events, milliseconds=0):
    """The events that are there: 0 for none."""
    poller = select.poll()
    poller.register(fd, events)
    found = poller.poll(milliseconds)
    return found[0][1] if found else 0


class Pollfd(ctypes.Structure):
    _fields_ = [('fd', ctypes.c_int), ('events', ctypes.c_short), ('revents', ctypes.c_short)]


def poll_waits(fd):
    """Until there is something to read."""
    one = Pollfd(fd, select.POLLIN, 0)
    count = LIBC.poll(ctypes.byref(one), 1, -1)
    return Failed(ctypes.get_errno()) if count < 0 else one.revents


def attempt(function, *arguments):
    """A function of os that raises: its result, or Failed."""
    try:
        return function(*arguments)
    except OSError as error:
        return Failed(error.errno)


def act_as(uid):
    if uid:
        LIBC.setfsgid(uid)
        LIBC.setfsuid(uid)
    else:
        LIBC.setfsuid(0)
        LIBC.setfsgid(0)


class Waiting:
    """A call that a client's thread is in."""

    def __init__(self, what, handle):
        self.what, self.handle = what, handle
        self.over = threading.Event()
        self.result = None
        self.begun = time.monotonic()
        self.interrupted = False


class Client:
    """One who does one thing at a time."""

    def __init__(self, uid):
        self.uid = uid
        self.jobs = queue.SimpleQueue()
        self.waiting = None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        act_as(self.uid)
        while True:
            job = self.jobs.get()
            if job is None:
                return
            waiting, function, arguments = job
            waiting.result = function(*arguments)
            waiting.over.set()

    def begin(self, what, handle, function, *arguments):
        self.waiting = Waiting(what, handle)
        self.jobs.put((self.waiting, function, arguments))
        return self.waiting

    def interrupt(self, seconds):
        """Signals until the call has ended: the thread may not be in it yet."""
        until = time.monotonic() + seconds
        while not self.waiting.over.is_set():
            signal.pthread_kill(self.thread.ident, signal.SIGUSR1)
            if self.waiting.over.wait(0.002):
                break
            if time.monotonic() > until:
                raise Hung('an interrupted call goes on')


class Pulse(threading.Thread):
    """Tells whether all stood still at some time: by a signal, or in a frozen group."""

    def __init__(self):
        super().__init__(daemon=True)
        self.beat = time.monotonic()
        self.missed = False
        signal.signal(signal.SIGCONT, self.note)
        self.start()

    def run(self):
        while True:
            time.sleep(0.05)
            now = time.monotonic()
            self.missed |= now - self.beat > 2
            self.beat = now

    def note(self, number, frame):
        self.missed = True

    def stood_still(self):
        """A beat that is due just now is waited for."""
        time.sleep(0.2)
        return self.missed


def prepare():
    """For the whole process: a call that takes longer than step() allows raises Hung."""
    def too_long(number, frame):
        raise Hung('no answer')

    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    signal.signal(signal.SIGALRM, too_long)
    if os.geteuid() == 0:
        os.setgroups([])


def step(seconds):
    signal.setitimer(signal.ITIMER_REAL, seconds)
