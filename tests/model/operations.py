# SPDX-License-Identifier: MIT
"""
Operations on sessions: each is a list [CLIENT, NAME, ARGUMENT...] that can be written down, left
out, and done again. One that makes no sense as things are is passed over.
"""
import errno
import os
import stat
import time

import client as clients
import config as configs
import programs
from checks import Checks
from client import Failed
from world import CREATED, MODES, ROOT_MODES, RUNNING, Session

SIGNALS = {'HUP': 1, 'INT': 2, 'USR1': 10, 'USR2': 12, 'TERM': 15, 'KILL': 9, 'ALRM': 14,
           'SIGUSR1': 10, '12': 12, 'sigterm': 15}
HARMLESS = {'WINCH', 'CHLD', 'URG', 'SIGWINCH', '28'}
NO_SIGNALS = ('FOO', '0', '65', '-9', 'INT TERM', '', 'SIG')
BAD_NAMES = ('.hidden', 'a b', 'ü', 'x' * 65, 'y' * 256, 'defaults', 'events', 'a:b', '-ok-', 'stats', 'metrics')
BAD_SIZES = {'0 80': 'ERANGE', '24 0': 'ERANGE', '65536 1': 'ERANGE', '24': 'EINVAL',
             '24 80 1': 'EINVAL', 'x y': 'EINVAL', '-1 5': 'EINVAL', '24,80': 'EINVAL'}
OPEN = {'r': os.O_RDONLY, 'w': os.O_WRONLY, 'rw': os.O_RDWR, 'wt': os.O_WRONLY | os.O_TRUNC,
        'wa': os.O_WRONLY | os.O_APPEND}
PERM, ACCES = Failed(errno.EPERM), Failed(errno.EACCES)


def failed(name):
    return Failed(getattr(errno, name))


class Operations(Checks):
    """Those on names, and on a session's config, ctl, size and input."""

    # Names

    def do_mkdir(self, client, slot, mode):
        name = f'{self.prefix}{slot}'
        uid = client.uid
        clients.act_as(uid)
        got = clients.attempt(os.mkdir, f'{self.root}/{name}', mode)
        if slot in self.slots:
            self.expect(got, {failed('EEXIST')}, f'mkdir {name}')
            return True
        self.expect(got, {None}, f'mkdir {name}')
        session = Session(name, uid, mode & ~self.umask)
        self.slots[slot] = session
        self.happened(session, 'created')
        return True

    def do_mkdir_bad(self, client, which):
        name = BAD_NAMES[which]
        clients.act_as(client.uid)
        if name == '-ok-':
            got = clients.attempt(os.mkdir, f'{self.root}/{self.prefix}nowhere/{name}')
            self.expect(got, {failed('ENOENT')}, 'mkdir in nowhere')
            return True
        allowed = {failed('EEXIST')} if name in ROOT_MODES else \
            {failed('EINVAL'), failed('ENAMETOOLONG')} if len(name) > 64 else {failed('EINVAL')}
        self.expect(clients.attempt(os.mkdir, f'{self.root}/{name}'), allowed, f'mkdir {name!r}')
        return True

    def do_rmdir(self, client, slot):
        session = self.slots.get(slot)
        clients.act_as(client.uid)
        got = clients.attempt(os.rmdir, f'{self.root}/{self.prefix}{slot}')
        if not session:
            self.expect(got, {failed('ENOENT')}, 'rmdir of what is not there')
        elif not self.may_open(client.uid, session):
            self.expect(got, {PERM, ACCES}, f"rmdir of another's {session.name}")
        else:
            self.expect(got, {None}, f'rmdir {session.name}')
            self.forget(slot, session)
        return True

    def forget(self, slot, session):
        if session.state == RUNNING:
            grace = set(session.program.killed) | {-15, -9}
            if session.program.traps or session.program.typed == 'shell':
                session.told = session.seen[0]  # they have something to say of it
            self.ends(session, grace, {'removed', 'kill'}, True)
        session.removed = True
        self.happened(session, 'removed')
        del self.slots[slot]

    def do_refused(self, client, slot, kind, file):
        """What is done to names is refused, whoever asks."""
        session = self.slots.get(slot)
        if not session:
            return False
        here = self.path(session)
        clients.act_as(client.uid)
        allowed = {PERM, ACCES}
        if kind == 'rename':
            got = clients.attempt(os.rename, here, here + 'x')
        elif kind == 'rename-file':
            got = clients.attempt(os.rename, f'{here}/{file}', f'{here}/x')
        elif kind == 'unlink':
            got = clients.attempt(os.unlink, f'{here}/{file}')
        elif kind == 'mkdir':
            got = clients.attempt(os.mkdir, f'{here}/sub')
        elif kind == 'create':
            got = clients.attempt(os.open, f'{here}/new', os.O_CREAT | os.O_WRONLY)
        elif kind == 'create-root':
            got = clients.attempt(os.open, here + 'new', os.O_CREAT | os.O_WRONLY)
        elif kind == 'symlink':
            got = clients.attempt(os.symlink, '/etc', here + 'link')
        elif kind == 'link':
            got = clients.attempt(os.link, f'{here}/{file}', here + 'link')
        elif kind == 'chmod':
            got = clients.attempt(os.chmod, f'{here}/{file}', 0o777)
        elif kind == 'chown':
            got = clients.attempt(os.chown, here, 12345, 12345)
        elif kind == 'unlink-directory':
            got = clients.attempt(os.unlink, here)
            allowed |= {failed('EISDIR')}
        else:
            got = clients.attempt(os.rmdir, f'{here}/{file}')
            allowed |= {failed('ENOTDIR')}
        self.expect(got, allowed, f'{kind} of {session.name}/{file}')
        return True

    def do_chmod(self, client, slot, mode):
        session = self.slots.get(slot)
        if not session:
            return False
        clients.act_as(client.uid)
        mine = self.may_open(client.uid, session)
        got = clients.attempt(os.chmod, self.path(session), mode)
        self.expect(got, {None} if mine else {PERM, ACCES}, f'chmod of {session.name}')
        if mine:
            session.mode = mode
        return True

    def do_stat(self, client, slot, file):
        session = self.slots.get(slot)
        if not session or (not self.may_open(client.uid, session) and session.mode & 1 == 0):
            return False
        clients.act_as(client.uid)
        got = clients.attempt(os.stat, self.path(session, file))
        if file and file not in session.files():
            self.expect(got, {failed('ENOENT')}, f'stat of {session.name}/{file}')
            return True
        if isinstance(got, Failed):
            self.fail(f'stat of {session.name}/{file}: {got!r}')
        self.expect(stat.S_IMODE(got.st_mode), {MODES[file] if file else session.mode},
                    f'mode of {session.name}/{file}')
        self.expect(got.st_uid, {session.uid}, f'owner of {session.name}/{file}')
        if file == 'transcript':
            self.saw_size(session, got.st_size)
        return True

    def saw_size(self, session, size):
        if not session.seen[0] <= size <= len(session.printed[0]):
            self.fail(f'size of the transcript of {session.name}: {size}, not '
                      f'{session.seen[0]} to {len(session.printed[0])}')
        session.seen[0] = max(session.seen[0], size)

    def do_list(self, client, slot):
        """slot -1: the root."""
        clients.act_as(client.uid)
        if slot < 0:
            names = {name for name in os.listdir(self.root) if name.startswith(self.prefix)}
            self.expect(names, [{session.name for session in self.slots.values()}], 'sessions')
            return True
        session = self.slots.get(slot)
        if not session or not self.may_open(client.uid, session):
            return False
        self.expect(set(os.listdir(self.path(session))), [session.files()],
                    f'files of {session.name}')
        self.expect(os.listdir(self.path(session, 'wait')), [[]], 'names in wait')
        return True

    def do_workspace(self, client, slot):
        session = self.slots.get(slot)
        if not session or not self.may_open(client.uid, session):
            return False
        clients.act_as(client.uid)
        link = os.readlink(self.path(session, 'workspace'))
        self.expect(os.path.isdir(link), {True}, f'whether {link} is there')
        return True

    # One open, one write, one close

    def put(self, client, session, file, text, way):
        clients.act_as(client.uid)
        fd = clients.attempt(os.open, self.path(session, file), OPEN[way])
        if not self.may_open(client.uid, session):
            self.expect(fd, {ACCES}, f"open of another's {session.name}/{file}")
            return None
        if isinstance(fd, Failed):
            self.fail(f'open of {session.name}/{file}: {fd!r}')
        try:
            return clients.write(fd, text.encode())
        finally:
            os.close(fd)

    def do_program(self, client, slot, name, way):
        """A config of a program that is known."""
        broken = programs.BROKEN.get(name)
        lines = broken[0] if broken else programs.BY_NAME[name].lines
        return self.do_config(client, slot, ['reset', *lines], way)

    def do_launch(self, client, slot, name):
        """What it takes for a program to run: in a session of one's own, or one that is not used."""
        session = self.slots.get(slot)
        if session and (session.state != CREATED or not self.may_open(client.uid, session)):
            return False
        return (session or self.do_mkdir(client, slot, 0o755)) and \
            self.do_program(client, slot, name, 'w') and self.do_ctl(client, slot, ['start'])

    def do_config(self, client, slot, lines, way):
        session = self.slots.get(slot)
        if not session:
            return False
        text = '\n'.join(lines) + ('\n' if way != 'wa' else '')
        got = self.put(client, session, 'config', text, way) if text else None
        if got is not None:
            self.config_written(session, text, got)
        return True

    def config_written(self, session, text, got):
        if session.removed:
            self.expect(isinstance(got, Failed), {True}, 'whether config is refused')
        elif session.state != CREATED:
            self.expect(got, {failed('EBUSY')}, f'config of {session.name} after the start')
            session.refused.append('config refused')
        else:
            changed = configs.copied(session.config)
            taken, number, line = configs.take_text(changed, text)
            session.config = changed
            self.expect(got, {taken if taken or not number else Failed(number)},
                        f'{text!r} to config of {session.name}')
            if number:
                session.refused.append(f'config line {line}: ')

    def do_size(self, client, slot, lines):
        session = self.slots.get(slot)
        if not session or not self.may_resize(session):
            return False
        text = '\n'.join(lines) + '\n'
        got = self.put(client, session, 'size', text, 'w')
        if got is not None:
            self.size_written(session, text, got)
        return True

    def may_resize(self, session):
        """A shell may have been asked for the size, and not have looked yet."""
        self.resolve_ending(session)
        return not session.lives() or session.program.typed != 'shell' or self.settle(session)

    def size_written(self, session, text, got):
        if session.removed:
            self.expect(isinstance(got, Failed), {True}, 'whether size is refused')
            return
        done, wrong = 0, None
        for line in text.splitlines():
            wrong = BAD_SIZES.get(line)
            if wrong:
                break
            done += len(line) + 1
            if not session.over():
                session.rows, session.cols = map(int, line.split())
                session.resized |= session.state == RUNNING
        self.expect(got, {done if done or not wrong else failed(wrong)},
                    f'{text!r} to size of {session.name}')
        if wrong:
            session.refused.append('size: ')

    def resolve_ending(self, session):
        """Waits for an end that is on its way, where what follows could not be told else."""
        if session.ending and session.state == RUNNING and not session.removed:
            self.resolve(session)

    # ctl

    def do_ctl(self, client, slot, verbs, way='w'):
        session = self.slots.get(slot)
        if not session:
            return False
        if not self.may_open(client.uid, session):
            return self.put(client, session, 'ctl', 'kill\n', way) is None
        verbs = self.sensible(session, verbs)
        if not verbs:
            return False
        got = self.put(client, session, 'ctl', '\n'.join(verbs) + '\n', way)
        self.ctl_written(session, verbs, got)
        return True

    def sensible(self, session, verbs):
        """Those whose effect is known."""
        kept = []
        for verb in verbs:
            word = verb.split(' ')[0]
            if session.state == CREATED and (kept and verb == 'start'):
                break
            if session.state == RUNNING and not self.is_known(session, word, verb):
                break
            kept.append(verb)
            if (session.state == CREATED and verb == 'start') or session.ending or \
                    word in ('kill', 'eof', 'hangup', 'signal', 'stop'):
                break
        return kept

    def is_known(self, session, word, verb):
        program = session.program
        if word in ('eof', 'signal', 'hangup', 'kill') and verb not in NO_SIGNALS:
            name = verb.partition(' ')[2]
            fatal = word != 'signal' or name in SIGNALS
            if session.ending and program.traps:
                return False  # it may have time to say it twice
            if session.stopped and fatal and word != 'kill':
                return False
            if fatal and not session.ending and not session.stopped and not self.settle(session):
                return False
            if word == 'eof' and (program.eof is None or session.ending or session.hung):
                return False
            # What is typed next may start before the signal comes, and get it.
            if word == 'signal' and program.typed == 'shell' and name in SIGNALS and \
                    SIGNALS[name] in (1, 2, 14, 15):
                return False
        if word == 'stop' and program.typed == 'shell' and not self.settle(session):
            return False
        return word not in ('stop', 'cont') or not session.ending

    def ctl_written(self, session, verbs, got):
        text = '\n'.join(verbs) + '\n'
        if session.removed:
            self.expect(isinstance(got, Failed), {True}, 'whether ctl is refused')
            return
        done = 0
        for verb in verbs:
            allowed = self.answers_of(session, verb)
            refused = isinstance(got, Failed) or got == done
            told = got if isinstance(got, Failed) and done == 0 else \
                Failed(0) if refused else None
            if refused and done and any(isinstance(one, Failed) for one in allowed):
                told = next(one for one in allowed if isinstance(one, Failed))
            self.expect(told, allowed, f'{verb!r} of {verbs} to ctl of {session.name}')
            if told is not None:
                if verb.strip():
                    session.refused.append('start (refused|failed)' if verb == 'start' else 'ctl: ')
                return
            done += len(verb) + 1
            self.told(session, verb)
        self.expect(got, {len(text)}, f'{verbs} to ctl of {session.name}')

    def answers_of(self, session, verb):
        """A set of None, for a verb that is taken, and Failed."""
        word, _, argument = verb.partition(' ')
        if not verb.strip():
            return {None}
        if word == 'signal' and (argument not in SIGNALS and argument not in HARMLESS):
            return {failed('EINVAL')}
        if word not in ('start', 'kill', 'signal', 'eof', 'hangup', 'stop', 'cont') or \
                (argument and word != 'signal'):
            return {failed('EINVAL')}
        if session.state == CREATED:
            return self.answers_before(session, word)
        over = {'start': {failed('EBUSY')}, 'kill': {None}, 'hangup': {None},
                'signal': {failed('ESRCH')}, 'stop': {failed('ESRCH')}, 'cont': {failed('ESRCH')},
                'eof': {None, failed('EPIPE')}}[word]
        runs = {failed('EBUSY')} if word == 'start' else {None}
        if word == 'eof' and (session.input_over or session.hung):
            runs = {None, failed('EPIPE')}
        return over if session.over() else runs | over if session.ending else runs

    def answers_before(self, session, word):
        if word == 'start':
            broken = self.broken(session)
            return {failed(broken)} if broken else {None}
        return {failed('ESRCH'), failed('EBUSY')} if word in ('eof', 'hangup') else \
            {failed('ESRCH')}

    def broken(self, session):
        for lines, number in programs.BROKEN.values():
            trial = configs.defaults()
            configs.take_text(trial, '\n'.join(lines))
            config = session.config
            if config['command'] is None and trial['argv'] == config['argv'] and \
                    trial['cwd'] in (configs.defaults()['cwd'], config['cwd']) and \
                    set(trial['ro']) <= set(config['ro']):
                return number
        return None

    def told(self, session, verb):
        """A verb was taken."""
        word, _, argument = verb.partition(' ')
        program = session.program
        if word == 'start':
            session.started = self.now
            self.begins(session, session.find_program())
        elif session.state != RUNNING:
            return
        elif word == 'kill':
            self.trapped(session, 'TERM')
            statuses = set(program.killed) | ({-9, -15} if session.stopped else set())
            session.killed = session.killed or time.monotonic()
            self.ends(session, statuses, {'kill'}, session.stopped or session.ending)
        elif word == 'eof':
            session.input_over = True
            self.ends(session, {program.eof}, {'exit'}, False)
        elif word == 'hangup':
            session.hung = session.input_over = True
            self.ends(session, program.hung, {'signal', 'exit'}, True)
        elif word == 'stop':
            session.stopped = True
        elif word == 'cont':
            session.stopped = False
        elif word == 'signal' and argument in SIGNALS:
            self.signalled(session, program, argument)

    def trapped(self, session, name):
        if name in session.program.traps and not session.ending:
            session.printed[0] += session.program.traps[name][0].encode()

    def signalled(self, session, program, argument):
        name = argument.upper().removeprefix('SIG')
        name = {'12': 'USR2'}.get(name, name)
        if name in program.ignores:
            return
        if name in program.traps:
            _, status = program.traps[name]
            self.trapped(session, name)
            self.ends(session, {status}, {'exit'}, session.ending)
        else:
            self.ends(session, {-SIGNALS[argument]}, {'signal'}, session.ending)

    # input

    def do_type(self, client, slot, text):
        session = self.slots.get(slot)
        if not session:
            return False
        if not self.may_open(client.uid, session):
            return self.put(client, session, 'input', text, 'w') is None
        text = self.fit(session, text)
        if text is None:
            return False
        got = self.put(client, session, 'input', text, 'w')
        self.input_written(session, text, got)
        return True

    def fit(self, session, text):
        """What may be typed at the program as it is: None for nothing."""
        if session.state == CREATED:
            program = session.find_program()
            starts = program and program.name in ('pipe', 'late') and not self.broken(session)
            return text if starts else None
        program = session.program
        if session.over() or session.hung:
            return text
        if session.ending and session.input_over:
            return None if program.terminal else text  # it may be echoed, and no more
        if program.typed is None or session.stopped:
            return None
        if session.ending:
            return text if program.typed == 'raw' and not session.input_over else None
        if program.terminal and not self.settle(session):
            return None
        words = ' '.join(text.split()) or 'x'
        if program.typed == 'shell':
            return ['echo hi; echo lo\n', 'stty size\n', f"printf '%s.' {words}\n", 'exit 3\n',
                    'stty size\n'][len(text) % 5]
        return text if program.typed == 'raw' else words + '\n'

    def input_written(self, session, text, got):
        if session.removed:
            self.expect(got, {failed('EPIPE')}, 'input of what was removed')
            return
        over = session.over() or (session.hung and not session.over())
        allowed = set() if session.over() else {len(text)}
        if over or session.input_over or session.ending:
            allowed.add(failed('EPIPE'))
        if session.input_over and not session.ending:
            allowed.discard(len(text))
        self.expect(got, allowed, f'{text!r} to input of {session.name}')
        if isinstance(got, Failed):
            session.refused.append('input refused')
        else:
            if session.state == CREATED:
                session.started = self.now
                self.begins(session, session.find_program())
            session.cut |= session.ending  # it may be too late for that
            self.typed(session, text)

    def typed(self, session, text):
        """What comes of it."""
        typed, printed = session.program.typed, session.printed[0]
        lines = text.splitlines()
        if typed == 'raw':
            printed += text.encode()
        elif typed == 'echo':
            printed += ''.join(f'{line}\r\n{line}\r\n' for line in lines).encode()
        elif typed == 'angle':
            printed += ''.join(f'{line}\r\n<{line}>\r\n' for line in lines).encode()
        elif typed == 'shell':
            self.typed_at_shell(session, text)

    def typed_at_shell(self, session, text):
        printed = session.printed[0]
        printed += text.replace('\n', '\r\n').encode()
        if text.startswith('exit'):
            session.input_over = True
            self.ends(session, {3}, {'exit'}, False)
        elif text.startswith('stty'):
            printed += f'{session.rows} {session.cols}\r\n$ '.encode()
        elif text.startswith('echo'):
            printed += b'hi\r\nlo\r\n$ '
        else:
            words = text.split("'")[2].split()
            printed += (''.join(f'{word}.' for word in words) + '$ ').encode()

    def do_long_line(self, client, slot):
        """A line that the terminal would cut is refused, and nothing of it is typed."""
        session = self.slots.get(slot)
        if not session or not session.lives() or session.stopped or \
                not self.may_open(client.uid, session) or \
                session.program.typed not in ('echo', 'angle') or not self.settle(session):
            return False
        got = self.put(client, session, 'input', 'x' * 4200 + '\n', 'w')
        self.expect(got, {failed('EMSGSIZE')}, f'a long line to {session.name}')
        session.refused.append('input refused')
        return True
