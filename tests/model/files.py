# SPDX-License-Identifier: MIT
"""Operations on open files: reads that may wait, polls, questions, interruptions."""
import errno
import os
import time

import client as clients
from checks import ERR, GONE, HUP, IN, OUT, PATIENCE
from client import Failed
from operations import OPEN, Operations, failed
from world import CREATED, MODES, ROOT_MODES, RUNNING, Handle, Mismatch

AGAIN, INTR = Failed(errno.EAGAIN), Failed(errno.EINTR)
STREAMS = ('output', 'stderr')
WAITS = STREAMS + ('exit', 'events', 'question')
BAD_QUESTIONS = {'foo': 'ENOENT', 'exitx': 'ENOENT', 'idle:5': 'EINVAL', 'idle:x': 'EINVAL',
                 'match:(': 'EINVAL', 'match@x:a': 'EINVAL', 'match@5': 'EINVAL'}


class World(Operations):
    """Everything that can be done."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.pulse = clients.Pulse()
        self.umask = os.umask(0)
        os.umask(self.umask)

    def do(self, operation):
        """Does one; whether it made sense. Then looks at those who wait."""
        if self.pulse.missed:
            raise clients.Paused()
        self.now = time.monotonic()  # nothing that it brings about is earlier
        number, name, *arguments = operation
        client = self.clients[number % len(self.clients)]
        clients.step(2 * PATIENCE)
        try:
            done = getattr(self, 'do_' + name)(client, *arguments)
            for one in self.clients:
                if one.waiting:
                    self.look(one)
            return done
        except (Mismatch, clients.Hung, OSError) as wrong:
            if self.stood_still():
                raise clients.Paused() from None
            raise Mismatch(self.told_of(name, wrong, arguments)) from None
        finally:
            clients.step(0)

    def stood_still(self):
        """Then the alarm of a call may be due, too."""
        try:
            clients.step(0)
            return self.pulse.stood_still()
        except clients.Hung:
            return self.pulse.stood_still()

    def told_of(self, name, wrong, arguments):
        """And the end of the log of the session that it was about."""
        what = str(wrong) if isinstance(wrong, Mismatch) else f'{name}: {wrong}'
        clients.act_as(0 if self.serves_all else self.uids[0])
        clients.step(PATIENCE)
        try:
            slot = arguments[0] if arguments else None
            with open(f'{self.root}/{self.prefix}{slot}/log', encoding='utf-8') as file:
                return f'{what}; its log: ' + ' | '.join(file.read().splitlines()[-3:])
        except (OSError, clients.Hung):
            return what
        finally:
            clients.step(0)

    # Opening

    def do_open(self, client, number, slot, file, way, nonblock):
        """slot -1: a file of the root."""
        session = self.slots.get(slot)
        if number in self.handles or (slot >= 0 and not session):
            return False
        path = self.path(session, file) if session else f'{self.root}/{file}'
        mode = MODES.get(file) if session else ROOT_MODES.get(file)
        clients.act_as(client.uid)
        fd = clients.attempt(os.open, path, OPEN[way] | (os.O_NONBLOCK if nonblock else 0))
        wrong = self.refused_open(client, session, file, mode, way)
        if wrong:
            self.expect(fd, wrong, f'open of {path} ({way})')
            return True
        if isinstance(fd, Failed):
            self.fail(f'open of {path} ({way}): {fd!r}')
        self.add(number, Handle(fd, session, file, client.uid, nonblock, way))
        return True

    def refused_open(self, client, session, file, mode, way):
        others = session and not self.may_open(client.uid, session)
        if session and file not in session.files():
            return {failed('ENOENT')} | ({failed('EACCES')} if others else set())
        if others:
            return {failed('EACCES')}
        if (('r' in way and not mode & 0o400) or ('w' in way and not mode & 0o200) or
                (not session and 'w' in way and client.uid and self.serves_all)):
            return {failed('EACCES')}
        return None

    def add(self, number, handle):
        self.handles[number] = handle
        if handle.file == 'events':
            handle.due = [[event, True] for event in self.history[-64:]
                          if event.what == 'exited' and not event.certain and
                          not event.session.over() and
                          not event.session.removed and handle.uid in (0, event.session.uid)]

    def do_ask(self, client, number, slot, kind, text, nonblock):
        session = self.slots.get(slot)
        if number in self.handles or not session or not self.may_open(client.uid, session):
            return False
        if kind == 'match' and session.state == RUNNING and not session.over() and \
                not self.settle(session):
            return False
        name = {'exit': 'exit', 'idle': f'idle:{text}ms', 'match': f'match:{text}',
                'from': f'match@{text}'}[kind]
        start = len(session.printed[0]) if kind == 'match' else 0
        asked = time.monotonic()
        clients.act_as(client.uid)
        fd = clients.attempt(os.open, self.path(session, 'wait/' + name),
                             os.O_RDONLY | (os.O_NONBLOCK if nonblock else 0))
        if isinstance(fd, Failed):
            self.fail(f'open of wait/{name}: {fd!r}')
        handle = Handle(fd, session, 'question', client.uid, nonblock, 'r')
        if kind == 'from':
            offset, _, text = text.partition(':')
            kind, start = 'match', int(offset)
        handle.question = (kind, text, name)
        handle.start, handle.asked = start, asked
        self.add(number, handle)
        return True

    def do_ask_bad(self, client, slot, question):
        session = self.slots.get(slot)
        if not session or not self.may_open(client.uid, session):
            return False
        clients.act_as(client.uid)
        number = BAD_QUESTIONS[question]
        self.expect(clients.attempt(os.open, self.path(session, 'wait/' + question), os.O_RDONLY),
                    {failed(number)}, f'open of wait/{question}')
        if number == 'EINVAL':
            session.refused.append('wait: ')
        return True

    def do_close(self, client, number):
        handle = self.handles.get(number)
        if not handle or self.waiter(handle):
            return False
        os.close(handle.fd)
        del self.handles[number]
        return True

    def do_dup(self, client, number):
        """A close that is not the last one is the end of nothing."""
        handle = self.handles.get(number)
        if not handle:
            return False
        os.close(os.dup(handle.fd))
        return True

    def waiter(self, handle):
        return next((one for one in self.clients
                     if one.waiting and one.waiting.handle is handle), None)

    # Reading

    def do_read(self, client, number, size, offset):
        """offset -1: where the last one ended."""
        handle = self.handles.get(number)
        if not handle or client.waiting:
            return False
        if 'r' not in handle.way:
            self.expect(clients.pread(handle.fd, size, 0), {failed('EBADF')}, 'read of one to write')
            return True
        other = self.waiter(handle)
        if other and other.waiting.what == 'poll':
            return False  # it waits for what is behind the last read
        handle.blurred = bool(other)  # which of two was the last one, nobody knows
        if handle.file in WAITS and not handle.nonblock:
            return self.read_may_wait(client, handle, size, offset)
        at = self.place(handle, offset)
        self.check_read(handle, at, size, clients.pread(handle.fd, size, at))
        return True

    def place(self, handle, offset):
        if handle.file in ('exit', 'question'):
            return 0
        return handle.next if offset < 0 or handle.file == 'events' else offset

    def read_may_wait(self, client, handle, size, offset):
        if handle.file == 'events' and (handle.uid == 0 or handle.line):
            return False
        at = self.place(handle, offset)
        if not self.must(handle, at):
            if self.waiter(handle) and handle.file == 'events':
                return False
            client.begin('read', handle, clients.pread, handle.fd, size, at)
            client.waiting.at, client.waiting.size = at, size
            return True
        if self.waiter(handle):
            return False
        self.check_read(handle, at, size, clients.pread(handle.fd, size, at))
        return True

    def check_read(self, handle, at, size, got):
        session = handle.session
        if got == INTR:
            self.fail(f'a read of {handle.file} was interrupted by nobody')
        if isinstance(got, Failed) and (got != AGAIN or handle.file not in WAITS or
                                        not handle.nonblock):
            if not (session and session.removed and got in GONE):
                self.fail(f'read of {handle.file} at {at}: {got!r}')
            return
        if handle.file in STREAMS:
            self.check_stream(handle, at, size, got)
        elif handle.file == 'exit':
            self.check_exit(session, at, size, got)
        elif handle.file == 'events':
            self.check_events(handle, got)
        elif handle.file == 'question':
            self.check_question(handle, got, size)
        elif handle.file == 'transcript':
            self.check_transcript(handle, at, size, got)
        elif handle.file == 'cast':
            if at == 0 and len(got) < size and not session.removed:
                self.check_cast(session, got)
        else:
            self.check_shown(handle, at, size, got)

    def check_transcript(self, handle, at, size, got):
        session = handle.session
        if at + len(got) < min(session.seen[0], at + size) and not session.removed:
            self.fail(f'transcript of {session.name} at {at}: {got!r}, and {session.seen[0]} '
                      'bytes are there')
        if got:
            self.saw(session, 0, at, got)
            handle.next = at + len(got)

    def check_shown(self, handle, at, size, got):
        """A text is as it was at its beginning, in pieces of any size."""
        if at == 0 or handle.text is None:
            if at or len(got) == size:
                handle.text = None
                return
            handle.text = got
            self.check_text(handle, got)
        elif handle.file == 'log':
            self.check_grown(handle, at, size, got)
        else:
            self.expect(got, {handle.text[at:at + size]}, f'{handle.file} from {at} on')

    def check_grown(self, handle, at, size, got):
        """What was read before stays, and more may follow it."""
        known = handle.text[at:at + size]
        self.expect(got[:len(known)], {known}, f'{handle.file} from {at} on')
        if at <= len(handle.text) < at + len(got) < at + size:
            handle.text = handle.text[:at] + got
            self.check_text(handle, handle.text)

    def do_get(self, client, slot, file):
        """open, read to the end, close: what `cat` does."""
        session = self.slots.get(slot)
        if not session or file not in session.files():
            return False
        if file in WAITS and not session.over():
            return False
        clients.act_as(client.uid)
        fd = clients.attempt(os.open, self.path(session, file), os.O_RDONLY)
        if not self.may_open(client.uid, session):
            self.expect(fd, {failed('EACCES')}, f"open of another's {session.name}/{file}")
            return True
        handle = Handle(fd, session, file, client.uid, False, 'r')
        text = b''
        while piece := clients.pread(fd, 1 << 16, len(text)):
            if isinstance(piece, Failed):
                self.fail(f'{session.name}/{file} at {len(text)}: {piece!r}')
            text += piece
        os.close(fd)
        self.check_read(handle, 0, len(text) + 1, text)
        return True

    def do_get_root(self, client, file):
        clients.act_as(client.uid)
        with open(f'{self.root}/{file}', 'rb', buffering=0) as source:
            self.check_text(Handle(-1, None, file, client.uid, False, 'r'), source.read(1 << 16))
        return True

    # Writing to what is open

    def do_write(self, client, number, what):
        handle = self.handles.get(number)
        session = handle and handle.session
        if not handle:
            return False
        if 'w' not in handle.way:
            self.expect(clients.write(handle.fd, b'x'), {failed('EBADF')}, 'write to one to read')
            return True
        text = what[handle.file]
        if handle.file == 'input' and not session.removed:
            text = self.fit(session, text)
            if text is None:
                return False
        if handle.file == 'size' and not self.may_resize(session):
            return False
        if not text:
            return False
        verbs = text.splitlines()
        if handle.file == 'ctl' and not session.removed:
            verbs = self.sensible(session, verbs)
            text = '\n'.join(verbs) + '\n'
            if not verbs:
                return False
        got = clients.write(handle.fd, text.encode())
        if handle.file == 'input':
            self.input_written(session, text, got)
        elif handle.file == 'config':
            self.config_written(session, text, got)
        elif handle.file == 'size':
            self.size_written(session, text, got)
        else:
            self.ctl_written(session, verbs, got)
        return True

    def do_truncate(self, client, slot, file):
        session = self.slots.get(slot)
        if not session:
            return False
        clients.act_as(client.uid)
        got = clients.attempt(os.truncate, self.path(session, file), 0)
        writes = MODES[file] & 0o200 and self.may_open(client.uid, session)
        self.expect(got, {None} if writes else {failed('EACCES')},
                    f'truncate of {session.name}/{file}')
        return True

    # Waiting

    def may(self, handle, at):
        """Whether a read at `at` may be answered by now."""
        session = handle.session
        if handle.file == 'events':
            return bool(handle.due) or bool(handle.line)
        if session.removed or session.ending or session.over():
            return True
        if handle.file in STREAMS:
            return at < len(session.printed[handle.stream()])
        if handle.file == 'question':
            return handle.question[0] == 'idle' or \
                (handle.question[0] == 'match' and self.match(handle) is not None)
        return False

    def must(self, handle, at):
        """Whether it has to be, by now or in a moment."""
        session = handle.session
        if handle.file == 'events':
            return self.owes(handle) and not handle.line
        if session.over() or (session.removed and session.state == CREATED):
            return True
        if session.removed:
            return False  # when the last process of it has gone
        if handle.file in STREAMS:
            stream = handle.stream()
            return at < session.seen[stream] or \
                (at < len(session.printed[stream]) and session.flows() and not session.hung)
        if handle.file == 'question' and handle.question[0] == 'match':
            match = self.match(handle)
            return match is not None and (match <= session.seen[0] or
                                          (session.flows() and not session.hung))
        return False

    def look(self, client):
        waiting = client.waiting
        handle = waiting.handle
        if not waiting.over.is_set():
            if not self.must(handle, waiting.at):
                return
            if not waiting.over.wait(PATIENCE):
                self.fail(f'{waiting.what} of {handle.file} at {waiting.at} waits on, and need not')
        client.waiting = None
        if waiting.what == 'poll':
            self.check_poll(handle, waiting.result, waiting.at, waiting.interrupted)
        elif waiting.result == INTR and waiting.interrupted:
            if handle.file in STREAMS:
                handle.next = waiting.at
        elif not self.may(handle, waiting.at) and not waiting.interrupted:
            self.fail(f'read of {handle.file} at {waiting.at} got {waiting.result!r}, and there '
                      'is nothing')
        else:
            self.check_read(handle, waiting.at, waiting.size, waiting.result)

    def do_interrupt(self, client):
        """A signal comes to whoever waits: the call ends by it, or has just been answered."""
        if not client.waiting:
            return False
        client.waiting.interrupted = True
        client.interrupt(PATIENCE)
        return True

    def do_join(self, client):
        """Waits for what comes by itself."""
        if not client.waiting:
            return False
        handle = client.waiting.handle
        session = handle.session
        sure = session and handle.file != 'events' and not session.stopped and \
            (session.ending or session.removed)
        if not sure and not (handle.question and handle.question[0] == 'idle'):
            return False
        if not client.waiting.over.wait(PATIENCE):
            self.fail(f'a {client.waiting.what} of {handle.file} is not answered')
        return True

    # Polling

    def ready(self, handle):
        """(events that have to be there, events that may be)."""
        session = handle.session
        if handle.file == 'input':
            return OUT, OUT | ERR | HUP
        if handle.file not in WAITS:
            return IN | OUT, IN | OUT
        if handle.file == 'events':
            return (IN if self.owes(handle) else 0), (IN if self.may(handle, 0) or
                                                      handle.uid == 0 else 0)
        at = handle.next if handle.file in STREAMS else 0
        there = handle.file in STREAMS and at < session.seen[handle.stream()]
        most = IN if self.may(handle, at) else 0
        least = IN if there or session.over() else 0
        ended = session.over() or session.ending or session.removed
        if handle.file == 'question':
            return (IN if session.over() else 0), most | (HUP if most else 0)
        return least | (HUP if session.over() and not session.removed else 0), \
            most | (HUP if ended else 0)

    def do_poll(self, client, number):
        handle = self.handles.get(number)
        if not handle or handle.blurred or self.waiter(handle):
            return False
        got = clients.poll(handle.fd, IN | OUT)
        least, most = self.ready(handle)
        if handle.file not in WAITS + ('input',):
            least, most = IN | OUT, IN | OUT
        if got & least != least or got & ~most:
            self.fail(f'poll of {handle.file}: {got:#x}, not {least:#x} to {most:#x}')
        return True

    def do_poll_wait(self, client, number):
        """Waits for something to read; what read() waits for, this does too."""
        handle = self.handles.get(number)
        if not handle or client.waiting or handle.file not in WAITS or \
                (handle.file == 'events' and handle.uid == 0) or handle.blurred or \
                self.waiter(handle):
            return False
        at = handle.next if handle.file in STREAMS else 0
        client.begin('poll', handle, clients.poll_waits, handle.fd)
        client.waiting.at, client.waiting.size = at, 0
        return True

    def check_poll(self, handle, got, at, interrupted):
        if got == INTR and interrupted:
            return
        if isinstance(got, Failed) or not got & IN:
            self.fail(f'poll of {handle.file} gave {got!r}')
        if not self.may(handle, at):
            self.fail(f'poll of {handle.file} at {at}: {got:#x}, and there is nothing')
        if got & HUP and handle.file in STREAMS + ('exit',) and handle.session:
            if not (handle.session.removed or handle.session.over()):
                self.expect(handle.session.ending, {True}, 'whether a hang-up may be')
                self.resolve(handle.session)

    def abandon(self):
        """Removes all there is, whatever comes of it: the model has lost its thread."""
        clients.act_as(0 if self.serves_all else self.uids[0])
        for name in os.listdir(self.root):
            if name.startswith(self.prefix):
                os.rmdir(f'{self.root}/{name}')
        for handle in self.handles.values():
            if not self.waiter(handle):
                os.close(handle.fd)
        for one in self.clients:
            if one.waiting:
                one.interrupt(PATIENCE)
            one.jobs.put(None)

    def finish(self):
        """Ends all that waits, and removes all there is."""
        clients.step(2 * PATIENCE)
        for slot, session in list(self.slots.items()):
            clients.act_as(0 if self.serves_all else session.uid)
            self.expect(clients.attempt(os.rmdir, self.path(session)), {None}, 'rmdir')
            self.forget(slot, session)
        for one in self.clients:
            if not one.waiting:
                continue
            handle = one.waiting.handle
            if handle.file == 'events':
                self.do_interrupt(one)
            elif not one.waiting.over.wait(PATIENCE):
                self.fail(f'{one.waiting.what} of {handle.file} waits on after rmdir')
            self.look(one)
        for handle in self.handles.values():
            os.close(handle.fd)
        self.handles = {}
        clients.step(0)
