# SPDX-License-Identifier: MIT
"""The model beside the mount: what each answer has to be, and what it tells of a session."""
import errno
import json
import os
import re
import time

import client as clients
import config as configs
from client import Failed
from world import CREATED, EXITED, RUNNING, TIME, Event, Mismatch, lines_of_log, screen

FACTOR = int(os.environ.get('MIMOBOX_TEST_FACTOR', 1))
PATIENCE = float(os.environ.get('MODEL_PATIENCE', 20 * FACTOR))  # seconds until an answer is missing
GONE = {Failed(number) for number in (errno.ENOENT, errno.EPIPE, errno.EBUSY, errno.ESRCH,
                                      errno.ENODEV, errno.ESTALE)}
HUP, IN, OUT, ERR = 16, 1, 4, 8


class Checks:
    """What operations.py stands on: knowledge, and the checks of each file's contents."""

    def __init__(self, root, prefix, users, serves_all):
        self.root, self.prefix, self.serves_all = root, prefix, serves_all
        self.uids = users
        self.clients = [clients.Client(uid) for uid in users for _ in range(2)]
        self.slots = {}
        self.now = 0.0
        self.handles = {}
        self.history = []
        self.gone = []  # removed, with a file open still

    def fail(self, what):
        # What is long is a run of one letter, or many lines of which the first tell enough.
        what = re.sub(r'(.)\1{9,}', r'\1...', what)
        raise Mismatch(what if len(what) < 1500 else f'{what[:700]} ... {what[-700:]}')

    def expect(self, got, allowed, what):
        if got not in allowed:
            self.fail(f'{what}: {got!r}, not one of {sorted(map(repr, allowed))}')
        return got

    def path(self, session, file=''):
        return f'{self.root}/{session.name}/{file}' if file else f'{self.root}/{session.name}'

    def happened(self, session, what, certain=True):
        event = Event(session, what, certain)
        self.history.append(event)
        for handle in self.handles.values():
            if handle.file == 'events' and (handle.uid == 0 or handle.uid == session.uid):
                handle.due.append([event, False])
        return event

    def may_open(self, uid, session):
        return uid in (0, session.uid)

    # Knowledge

    def as_owner(self, session):
        clients.act_as(0 if self.serves_all else session.uid)

    def begins(self, session, program):
        """A start has succeeded."""
        session.state, session.program = RUNNING, program
        session.printed = [bytearray(program.printed), bytearray(program.errors)]
        session.size_at_start, session.resized = (session.rows, session.cols), False
        self.happened(session, 'started')
        if program.status is not None:
            reason = 'exit' if program.status >= 0 else 'signal'
            self.ends(session, {program.status}, {reason}, False)
        if program.timeout:
            self.ends(session, {-15}, {'timeout'}, True)
            session.killed = session.started + program.timeout

    def ends(self, session, statuses, reasons, cut):
        if not session.ending:
            session.exited = self.happened(session, 'exited', False)
        session.end_by(statuses, reasons, cut)

    def learn(self, session, status):
        """It has ended with this: true from now on."""
        if session.state == EXITED:
            return self.expect(status, {session.status}, f'the status of {session.name}')
        if not session.ending:
            self.fail(f'{session.name} has ended with {status}, and has no reason to')
        self.expect(status, session.statuses | self.late_status(session),
                    f'the status of {session.name}')
        session.state, session.status = EXITED, status
        if session.program.timeout and session.reasons == {'timeout'} and \
                time.monotonic() < session.started + session.program.timeout:
            self.fail(f'{session.name} had a timeout too early')
        if session.removed:
            return status
        session.exited.certain = True
        self.learn_printed(session)
        self.check_status(session, self.whole(session, 'status'))
        return status

    def late_status(self, session):
        """SIGKILL is what one gets who has not had a turn within the time that there is."""
        grace = session.config['kill-grace'] / 1e9
        return {-9} if session.killed and time.monotonic() - session.killed >= grace else set()

    def learn_printed(self, session):
        for stream, file in enumerate(('transcript', 'stderr')):
            if file == 'stderr' and session.terminal():
                continue
            text = self.whole(session, file)
            right = bytes(session.printed[stream])
            if not (right.startswith(text) if session.cut else right == text):
                self.fail(f'{file} of {session.name} at its end: {text!r}, not {right!r}')
            if len(text) < session.seen[stream]:
                self.fail(f'{file} of {session.name} has become shorter')
            session.printed[stream] = bytearray(text)
            session.seen[stream] = len(text)

    def resolve(self, session):
        """An answer said that it has ended: then `exit` says so too."""
        if session.removed or session.state == EXITED:
            return
        self.learn_exit(session, self.whole(session, 'exit'))

    def learn_exit(self, session, text):
        found = re.fullmatch(rb'(-?\d+)\n', text)
        if not found:
            self.fail(f'exit of {session.name}: {text!r}')
        self.learn(session, int(found[1]))

    def whole(self, session, file):
        """Read by its owner with a file of its own, to the end."""
        self.as_owner(session)
        fd = clients.attempt(os.open, self.path(session, file), os.O_RDONLY)
        if isinstance(fd, Failed):
            self.fail(f'open of {session.name}/{file}: {fd!r}')
        text = b''
        while True:
            piece = clients.pread(fd, 1 << 16, len(text))
            if isinstance(piece, Failed):
                self.fail(f'read of {session.name}/{file} at {len(text)}: {piece!r}')
            if not piece:
                break
            text += piece
        os.close(fd)
        return text

    def settle(self, session):
        """Waits until all is printed that will be; False where that cannot be said."""
        if not session.flows() or session.hung:
            return False
        if session.quiet() or session.state != RUNNING:
            return session.quiet()
        self.as_owner(session)
        fd = os.open(self.path(session, 'output'), os.O_RDONLY)
        while not session.quiet():
            piece = clients.pread(fd, 1 << 16, session.seen[0])
            if not piece or isinstance(piece, Failed):
                self.fail(f'output of {session.name} at {session.seen[0]}: {piece!r}, and '
                          f'{bytes(session.printed[0][session.seen[0]:])!r} is to come')
            self.saw(session, 0, session.seen[0], piece)
        os.close(fd)
        return True

    def saw(self, session, stream, offset, data):
        if session.told is not None:
            data = data[:max(0, session.told - offset)]
        right = bytes(session.printed[stream][offset:offset + len(data)])
        if data != right:
            self.fail(f'output of {session.name} at {offset}: {data!r}, not {right!r}')
        session.seen[stream] = max(session.seen[stream], offset + len(data))

    # What a read gives, by file

    def check_stream(self, handle, offset, size, got):
        """`got` is bytes, EAGAIN or EINTR (where that is allowed at all)."""
        session, stream = handle.session, handle.stream()
        end, seen = len(session.printed[stream]), session.seen[stream]
        if isinstance(got, bytes) and got:
            if len(got) > size:
                self.fail(f'{len(got)} bytes of {size} asked for')
            self.saw(session, stream, offset, got)
            handle.next = offset + len(got)
            return
        if offset < seen:
            self.fail(f'{handle.file} of {session.name} at {offset}: {got!r}, and {seen} are there')
        if isinstance(got, Failed):
            if session.over():
                self.fail(f'{handle.file} of {session.name} at its end: {got!r}')
            handle.next = offset
            return
        handle.next = offset
        if session.removed or session.over():
            return
        if not session.ending:
            self.fail(f'{handle.file} of {session.name} at {offset} of {end}: the end, while it '
                      'lives')
        self.resolve(session)
        if offset < session.seen[stream]:
            self.fail(f'{handle.file} of {session.name} at {offset}: the end, and '
                      f'{session.seen[stream]} are there')

    def check_exit(self, session, offset, size, got):
        if isinstance(got, Failed):
            if session.over():
                self.fail(f'exit of {session.name} after its end: {got!r}')
            return
        if not got:
            if not session.removed and not (session.over() and offset > 0):
                self.fail(f'exit of {session.name}: empty')
            return
        if offset or size < 6:
            self.resolve(session)
            if session.over():
                self.expect(got, {b'%d\n' % session.status, (b'%d\n' % session.status)
                                  [offset:offset + size]}, f'exit of {session.name}')
        else:
            self.learn_exit(session, got)

    def check_text(self, handle, text):
        """A whole file that is shown at once."""
        session, file = handle.session, handle.file
        if file == 'defaults':
            self.check_config('defaults', configs.defaults(), text.decode())
        elif file == 'stats':
            self.check_stats(handle.uid, text.decode())
        elif file == 'metrics':
            self.check_metrics(handle.uid, text.decode())
        elif session.removed:
            return
        elif file == 'size':
            self.expect(text, {b'%d %d\n' % (session.rows, session.cols)},
                        f'size of {session.name}')
        elif file == 'ctl':
            self.expect(text, {b'start\nkill\nsignal NAME\neof\nhangup\nstop\ncont\nown\nanswer\n'
                               b'apply [PATH]\ndiscard [PATH]\n'}, 'ctl')
        elif file == 'config':
            self.check_config(f'config of {session.name}', session.config, text.decode())
        elif file == 'status':
            self.check_status(session, text)
        elif file == 'log':
            self.check_log(session, text.decode())
        elif file in ('modes', 'changes'):
            self.expect(text, {b''}, file)
        elif file == 'screen':
            self.check_screen(session, text.decode())
        elif file == 'sizes':
            self.check_sizes(session, text.decode())

    def check_config(self, what, config, text):
        try:
            found, right = configs.read_back(text), configs.shown(config)
        except configs.Bad:
            self.fail(f'{what} does not read back: {text}')
        for key, value in right.items():
            if found.get(key) != value:
                self.fail(f'{what}: {key} is {found.get(key)!r}, not {value!r}')

    def check_stats(self, uid, text):
        values = dict(line.split(' ', 1) for line in text.splitlines())
        if uid == 0 or not self.serves_all:
            return
        mine = [session for session in self.slots.values() if session.uid == uid]
        self.expect(int(values['sessions']), {len(mine)}, 'sessions of stats')
        least = sum(session.lives() for session in mine)
        most = sum(session.state == RUNNING for session in mine)
        self.expect(int(values['running']), set(range(least, most + 1)), 'running of stats')

    def check_metrics(self, uid, text):
        if not text.endswith('\n# EOF\n'):
            self.fail(f'metrics have no end: {text[-100:]!r}')
        if uid == 0 or not self.serves_all:
            return
        count = sum(int(line.split()[-1]) for line in text.splitlines()
                    if line.startswith('mimobox_sessions{'))
        mine = [session for session in self.slots.values() if session.uid == uid]
        self.expect(count, {len(mine)}, 'sessions of metrics')

    def check_status(self, session, text):
        values = dict(line.partition(' ')[::2] for line in text.decode().splitlines())
        state = values['state']
        if session.state == RUNNING and session.ending:
            self.expect(state, {'running', 'draining', 'exited'}, f'state of {session.name}')
            if state == 'exited':
                return self.resolve(session)
        else:
            self.expect(state, {session.state}, f'state of {session.name}')
        end = int(values['output-end'])
        if not session.seen[0] <= end <= len(session.printed[0]):
            self.fail(f'output-end of {session.name}: {end}, not {session.seen[0]} to '
                      f'{len(session.printed[0])}')
        session.seen[0] = max(session.seen[0], end)
        self.expect(values['output-start'], {'0'}, 'output-start')
        readers = sum(handle.session is session and handle.file == 'output'
                      for handle in self.handles.values())
        self.expect(int(values['readers']), {readers}, f'readers of {session.name}')
        self.expect('exit' in values, {session.over()}, 'whether there is a status')
        self.expect('reason' in values, {session.over()}, 'whether there is a reason')
        self.expect('started' in values, {session.state != CREATED}, 'whether it was started')
        for key in ('created', 'started', 'ended'):
            if key in values and not re.fullmatch(TIME, values[key]):
                self.fail(f'{key} {values[key]}')
        if session.over():
            self.expect(int(values['exit']), {session.status}, f'exit of {session.name}')
            self.expect(values['reason'], session.reasons, f'reason of {session.name}')
            session.reasons = {values['reason']}
        elif session.lives():
            self.check_isolation(session, values)
        return None

    def check_isolation(self, session, values):
        self.expect(values['no-new-privs'], {'1'}, 'no-new-privs')
        self.expect(values['seccomp'], {'2'}, 'seccomp')
        own = ' net' if session.config['network'] in ('none', 'names') else ''
        self.expect(values['namespaces'], {'user mnt pid ipc uts cgroup' + own}, 'namespaces')
        for name in ('effective', 'permitted', 'bounding', 'inheritable', 'ambient'):
            self.expect(int(values['caps-' + name], 16), {0}, 'caps-' + name)
        uid = int(values['uid'].split()[0])
        if session.uid:
            self.expect(uid, {session.uid}, f'uid of {session.name}')
        elif uid == 0:
            self.fail(f'{session.name} runs as root')

    def check_log(self, session, text):
        life, others = lines_of_log(text)
        right = ['created']
        if session.state != CREATED:
            right.append('started')
        if session.over():
            if session.reasons == {'timeout'}:
                right.append('timeout')
            right.append(f'exited {session.status}')
        seen = [line if line.startswith('exited') else line.split(' ')[0] for line in life]
        if seen[:len(right)] != right or (seen != right and not session.ending):
            self.fail(f'log of {session.name}: {seen}, not {right}')
        if len(others) != len(session.refused):
            self.fail(f'log of {session.name} has {len(others)} refusals, not '
                      f'{len(session.refused)}:\n{text}')
        for line, pattern in zip(others, session.refused):
            if not re.match(pattern, line):
                self.fail(f'log of {session.name}: {line!r} does not begin with {pattern!r}')

    def check_screen(self, session, text):
        lines = text.split('\n')
        if len(lines) != session.rows + 1 or lines[-1]:
            self.fail(f'screen of {session.name}: {len(lines) - 1} lines, not {session.rows}')
        if session.state == CREATED or session.resized or not session.terminal() or \
                not session.quiet() or session.rows < 2 or session.cols < 2:
            return
        if session.rows * session.cols > 20000 or (session.ending and not session.over()):
            return
        right = screen(bytes(session.printed[0]), session.rows, session.cols)
        if [line.rstrip() for line in lines[:-1]] != right:
            self.fail(f'screen of {session.name}:\n{text}not\n' + '\n'.join(right))

    def check_sizes(self, session, text):
        lines = [tuple(map(int, line.split())) for line in text.splitlines()]
        if not lines or lines[0][0] != 0 or lines[-1][1:] != (session.rows, session.cols):
            self.fail(f'sizes of {session.name}: {text}')
        if sorted(lines) != lines and [line[0] for line in lines] != \
                sorted(line[0] for line in lines):
            self.fail(f'sizes of {session.name} are out of order: {text}')

    def check_cast(self, session, text):
        if session.state == CREATED or not text:
            return
        lines = [json.loads(line) for line in text.decode().splitlines()]
        head = (lines[0]['version'], lines[0]['height'], lines[0]['width'])
        self.expect(head, {(2, *session.size_at_start)}, f'head of the cast of {session.name}')
        times = [line[0] for line in lines[1:]]
        if times != sorted(times):
            self.fail(f'cast of {session.name}: its times go back')
        printed = ''.join(line[2] for line in lines[1:] if line[1] == 'o').encode()
        if session.terminal():
            if not bytes(session.printed[0]).startswith(printed) or \
                    len(printed) < session.seen[0]:
                self.fail(f'cast of {session.name}: {printed!r}, not '
                          f'{bytes(session.printed[0])!r}')

    def check_event(self, handle, line):
        found = re.fullmatch(f'{TIME} (\\S+) (.+)', line.decode())
        if not found:
            self.fail(f'events: {line!r}')
        name, what = found.groups()
        if not name.startswith(self.prefix):
            if handle.uid:
                self.fail(f"events of user {handle.uid} has another's: {line!r}")
            return
        for at, (event, _) in enumerate(handle.due):
            if event.session.name != name:
                continue
            if event.matches(what):
                handle.due = [due for i, due in enumerate(handle.due)
                              if i > at or due[0].session.name != name]
                if event.what == 'exited' and event.session.state == RUNNING and \
                        not event.session.removed:
                    self.resolve(event.session)
                return
            if event.certain and not handle.due[at][1]:
                self.fail(f'events: {line!r}, and {name} {event.what} was due')
        self.fail(f'events: {line!r} was not due')

    def owes(self, handle):
        """Whether an event is there for certain."""
        return any(event.certain and not early for event, early in handle.due)

    def check_events(self, handle, got):
        if isinstance(got, Failed):
            if handle.nonblock and self.owes(handle):
                self.fail(f'events: {got!r}, and there is one')
            return
        if not got:
            self.fail('events: the end')
        handle.next += len(got)
        *lines, handle.line = (handle.line + got).split(b'\n')
        for line in lines:
            self.check_event(handle, line)

    def check_question(self, handle, got, size):
        session, kind = handle.session, handle.question[0]
        if isinstance(got, Failed):
            if session.over():
                self.fail(f'wait/{handle.question}: {got!r} after the end')
            return
        if session.removed:
            return
        if size < 40:
            whole = ('exit', kind)
            self.expect(True, {any(got == word.encode()[:size] or size > 6 for word in whole)},
                        f'whether {got!r} answers wait/{handle.question}')
            return
        found = re.fullmatch(rb'(exit|idle|match) (\d+)\n', got)
        if not found:
            self.fail(f'wait/{handle.question}: {got!r}')
        reason, offset = found[1].decode(), int(found[2])
        if reason == 'exit':
            if not session.over() and not session.ending:
                self.fail(f'wait/{handle.question}: {got!r}, and {session.name} lives')
            self.resolve(session)
            self.expect(offset, {len(session.printed[0])}, 'the end of an answer')
            if kind == 'match' and self.match(handle) is not None:
                self.fail(f'wait/{handle.question}: {got!r}, and it is at {self.match(handle)}')
        elif reason != kind:
            self.fail(f'wait/{handle.question}: {got!r}')
        elif reason == 'match':
            self.expect(offset, {self.match(handle)}, f'wait/{handle.question}')
            session.seen[0] = max(session.seen[0], offset)
        else:
            if time.monotonic() - handle.asked < handle.question[1] / 1000 - 0.001:
                self.fail(f'wait/{handle.question}: {got!r} too early')
            if offset > len(session.printed[0]):
                self.fail(f'wait/{handle.question}: {got!r} is beyond the end')

    def match(self, handle):
        """Where the text of a question is found, behind it."""
        at = bytes(handle.session.printed[0]).find(handle.question[1].encode(), handle.start)
        return None if at < 0 else at + len(handle.question[1])
