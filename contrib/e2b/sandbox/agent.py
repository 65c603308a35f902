# SPDX-License-Identifier: MIT
# The program of each sandbox: it starts commands and touches files there, as the server asks on
# standard input, and tells of them on standard output. Both are frames: four bytes, the size of
# what follows; one, the kind; four, the channel, whose numbers the server gives; the rest.
#
# To here: q JSON: opens a channel.   d bytes: input.   f: no more input.
#          a number: so many bytes more may be sent.    c JSON: a word to an open channel.
# From here: r JSON: an event.   o, e bytes: output, errors.   a number: so much input was taken.
#            x JSON: the channel is closed.
#
# Any program in the sandbox can say all this, too: the server trusts none of it.
import collections, ctypes, errno, fcntl, grp, json, os, pwd, selectors, shutil, signal, stat, struct
import sys, termios

PIECE = 65536
WINDOW = 1 << 20
HEAD = struct.Struct('>IcI')
NUMBER = struct.Struct('>I')
HOME = os.environ.get('HOME', '/tmp')

selector = selectors.DefaultSelector()
channels = {}
readers = set()


def send(kind, channel, data=b''):
    frame = memoryview(HEAD.pack(len(data) + 5, kind, channel) + data)
    while frame:
        try:
            frame = frame[os.write(1, frame):]
        except BlockingIOError:
            ready = selectors.DefaultSelector()
            ready.register(1, selectors.EVENT_WRITE)
            ready.select()
            ready.close()


def tell(kind, channel, value):
    send(kind, channel, json.dumps(value).encode())


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def explain(error, path):
    code = {errno.ENOENT: 'not_found', errno.ENOTDIR: 'not_found', errno.EEXIST: 'already_exists',
            errno.EACCES: 'permission_denied', errno.EPERM: 'permission_denied',
            errno.EROFS: 'permission_denied', errno.ENOSPC: 'no_space',
            errno.EDQUOT: 'no_space', errno.EFBIG: 'no_space'}.get(error.errno, 'internal')
    return Failure(code, f'{path}: {os.strerror(error.errno or errno.EIO)}')


class Channel:
    def __init__(self, number):
        self.number = number
        self.credit = WINDOW
        channels[number] = self

    def close(self, answer):
        if channels.pop(self.number, None):
            self.drop()
            tell(b'x', self.number, answer)

    def fail(self, failure):
        self.close({'error': {'code': failure.code, 'message': str(failure)}})

    def more(self, count):
        self.credit += count

    def drop(self):
        pass

    def data(self, piece):
        pass

    def finish(self):
        pass

    def word(self, word):
        if word.get('cancel'):
            self.close({})


# Commands

def resize(fd, size):
    rows, cols = (min(max(int(size.get(key, least)), 1), 65535) for key, least in (('rows', 24), ('cols', 80)))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))


class Command(Channel):
    def __init__(self, number, ask):
        super().__init__(number)
        self.outputs, self.input, self.pid, self.status = {}, -1, 0, None
        self.pending, self.no_more, self.pty = collections.deque(), False, bool(ask.get('pty'))
        self.start(ask)

    def start(self, ask):
        cwd = resolve(ask.get('cwd') or '')
        if not os.path.isdir(cwd):
            raise Failure('invalid_argument', f"cwd '{cwd}' does not exist")
        theirs = self.terminal(ask['pty']) if self.pty else self.pipes(ask.get('stdin'))
        told, tells = os.pipe()
        arguments = [ask['cmd'], *ask.get('args', [])]
        environment = {**os.environ, **ask.get('envs', {})}
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.become(theirs, cwd, arguments, environment)
            except OSError as error:
                os.write(tells, NUMBER.pack(error.errno))
            finally:
                os._exit(127)
        os.close(tells)
        for fd in set(theirs):
            os.close(fd)
        said = os.read(told, 4)
        os.close(told)
        if said:
            os.waitpid(self.pid, 0)
            raise explain(OSError(NUMBER.unpack(said)[0], ''), ask['cmd'])
        for fd in self.outputs:
            os.set_blocking(fd, False)
        tell(b'r', self.number, {'pid': self.pid})
        self.watch()

    def terminal(self, size):
        master, slave = os.openpty()
        resize(master, size)
        self.outputs[master] = b'o'
        self.input = master
        return [slave, slave, slave]

    def pipes(self, wants_input):
        out, err = os.pipe(), os.pipe()
        self.outputs = {out[0]: b'o', err[0]: b'e'}
        if not wants_input:
            return [os.open('/dev/null', os.O_RDONLY), out[1], err[1]]
        given = os.pipe()
        self.input = given[1]
        os.set_blocking(self.input, False)
        return [given[0], out[1], err[1]]

    def become(self, theirs, cwd, arguments, environment):
        os.setsid()
        for to, fd in enumerate([os.dup(fd) for fd in theirs]):
            os.dup2(fd, to)
        if self.pty:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.chdir(cwd)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.execvpe(arguments[0], arguments, environment)

    def watch(self):
        """Registers each descriptor for what it is wanted for now."""
        wanted = {fd: selectors.EVENT_READ for fd in self.outputs if self.credit > 0}
        if self.pending and self.input >= 0:
            wanted[self.input] = wanted.get(self.input, 0) | selectors.EVENT_WRITE
        for fd in [*self.outputs, *([self.input] if self.input >= 0 else [])]:
            registered = selector.get_map().get(fd)
            if fd in wanted and registered:
                selector.modify(fd, wanted[fd], self.ready)
            elif fd in wanted:
                selector.register(fd, wanted[fd], self.ready)
            elif registered:
                selector.unregister(fd)

    def forget(self, fd):
        if fd in selector.get_map():
            selector.unregister(fd)
        kind = self.outputs.pop(fd, None)
        if fd != self.input or kind is None:
            os.close(fd)
        if fd == self.input and kind is not None:
            self.input = -1
            os.close(fd)

    def ready(self, fd, events):
        if events & selectors.EVENT_WRITE:
            self.feed()
        if events & selectors.EVENT_READ and fd in self.outputs:
            self.read(fd)
        self.settle()

    def read(self, fd):
        """False: there is nothing now."""
        try:
            piece = os.read(fd, min(PIECE, self.credit))
        except BlockingIOError:
            return False
        except OSError:  # of a terminal without a program
            piece = b''
        if piece:
            self.credit -= len(piece)
            send(self.outputs[fd], self.number, piece)
        else:
            self.forget(fd)
        return bool(piece)

    def feed(self):
        while self.pending and self.input >= 0:
            try:
                count = os.write(self.input, self.pending[0])
            except BlockingIOError:
                return
            except OSError:
                self.refuse_input()
                return
            send(b'a', self.number, NUMBER.pack(count))
            self.pending[0] = self.pending[0][count:]
            if not self.pending[0]:
                self.pending.popleft()
        if self.no_more and not self.pty and self.input >= 0:
            self.close_input()

    def close_input(self):
        if self.input in selector.get_map():
            selector.unregister(self.input)
        os.close(self.input)
        self.input = -1

    def refuse_input(self):
        """Its reader is gone: what comes is taken, and dropped, as a shell's pipe would."""
        for piece in self.pending:
            send(b'a', self.number, NUMBER.pack(len(piece)))
        self.pending.clear()
        if not self.pty:
            self.close_input()

    def data(self, piece):
        if self.input < 0 or self.no_more:
            send(b'a', self.number, NUMBER.pack(len(piece)))
            return
        self.pending.append(piece)
        self.feed()
        self.watch()

    def finish(self):
        self.no_more = True
        self.feed()

    def more(self, count):
        super().more(count)
        self.settle()

    def word(self, word):
        if 'signal' in word:
            try:
                os.killpg(self.pid, int(word['signal']))
            except ProcessLookupError:
                pass
        if 'size' in word and self.pty and self.input >= 0:
            resize(self.input, word['size'])

    def ended(self, status):
        self.status = status
        self.settle()

    def settle(self):
        """Once it has ended, what it has printed is all: others may hold its pipes for ever."""
        if self.status is not None:
            for fd in [*self.outputs]:
                while self.credit > 0 and fd in self.outputs and self.read(fd):
                    pass
                if self.credit > 0 and fd in self.outputs:
                    self.forget(fd)
            if not self.outputs:
                self.close({'status': self.status})
                return
        self.watch()

    def drop(self):
        for fd in [*self.outputs]:
            self.forget(fd)
        if self.input >= 0:
            self.close_input()


def reap(*_):
    for command in [one for one in channels.values() if isinstance(one, Command)]:
        if command.status is None:
            pid, status = os.waitpid(command.pid, os.WNOHANG)
            if pid:
                command.ended(os.waitstatus_to_exitcode(status))


# Files

def resolve(path):
    if path == '~' or path.startswith('~/'):
        path = HOME + path[1:]
    return os.path.normpath(os.path.join(HOME, path))


def name_of(table, number):
    try:
        return table(number)[0]
    except KeyError:
        return str(number)


def entry_of(path):
    about = os.lstat(path)
    target, kind = None, about.st_mode
    if stat.S_ISLNK(kind):
        target = os.path.realpath(path)
        kind = os.stat(path).st_mode if os.path.exists(path) else kind
    return {
        'name': os.path.basename(path) or '/', 'path': path, 'size': about.st_size,
        'type': 'dir' if stat.S_ISDIR(kind) else 'symlink' if stat.S_ISLNK(kind) else 'file',
        'mode': stat.S_IMODE(about.st_mode), 'permissions': stat.filemode(about.st_mode),
        'owner': name_of(pwd.getpwuid, about.st_uid), 'group': name_of(grp.getgrgid, about.st_gid),
        'modified': about.st_mtime_ns, 'target': target,
    }


def entries_below(path, depth):
    if not stat.S_ISDIR(os.stat(path).st_mode):
        raise Failure('invalid_argument', f'path is not a directory: {path}')
    for name in sorted(os.listdir(path)):
        below = os.path.join(path, name)
        try:
            entry = entry_of(below)
        except FileNotFoundError:
            continue
        yield entry
        if depth > 1 and entry['type'] == 'dir' and not entry['target']:
            yield from entries_below(below, depth - 1)


def make_directory(path):
    if os.path.isdir(path):
        raise Failure('already_exists', f'directory already exists: {path}')
    if os.path.exists(path):
        raise Failure('invalid_argument', f'path already exists but it is not a directory: {path}')
    os.makedirs(path)
    return entry_of(path)


def move(path, to):
    os.lstat(path)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    os.rename(path, to)
    return entry_of(to)


def remove(path):
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        pass


def open_file(path, flags):
    """A fifo or a device could keep all others waiting."""
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    kind = os.fstat(fd).st_mode
    if not stat.S_ISREG(kind):
        os.close(fd)
        what = 'a directory' if stat.S_ISDIR(kind) else 'not a regular file'
        raise Failure('invalid_argument', f"path '{path}' is {what}")
    return fd


class Reading(Channel):
    def __init__(self, number, path):
        super().__init__(number)
        if os.path.isdir(path):
            raise Failure('invalid_argument', f"path '{path}' is a directory")
        self.fd = open_file(path, os.O_RDONLY)
        tell(b'r', number, {'size': os.fstat(self.fd).st_size})
        readers.add(self)

    def step(self):
        piece = os.read(self.fd, min(PIECE, self.credit))
        self.credit -= len(piece)
        if piece:
            send(b'o', self.number, piece)
        else:
            self.close({})

    def drop(self):
        if hasattr(self, 'fd'):
            os.close(self.fd)
            readers.discard(self)


class Writing(Channel):
    def __init__(self, number, path):
        super().__init__(number)
        self.path = path
        if os.path.isdir(path):
            raise Failure('invalid_argument', f'path is a directory: {path}')
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.fd = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        tell(b'r', number, {})

    def data(self, piece):
        left = memoryview(piece)
        while left:
            left = left[os.write(self.fd, left):]
        send(b'a', self.number, NUMBER.pack(len(piece)))

    def finish(self):
        self.close({'entry': entry_of(self.path)})

    def drop(self):
        if hasattr(self, 'fd'):
            os.close(self.fd)


class Watch(Channel):
    KINDS = {0x2: 'write', 0x4: 'chmod', 0x40: 'rename', 0x80: 'create', 0x100: 'create', 0x200: 'remove'}
    EVENT = struct.Struct('iIII')
    library = ctypes.CDLL(None, use_errno=True)

    def __init__(self, number, path, recursive):
        super().__init__(number)
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise Failure('invalid_argument', f'path is not a directory: {path}')
        self.path, self.recursive, self.below = path, recursive, {}
        self.fd = self.library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), '')
        selector.register(self.fd, selectors.EVENT_READ, self.ready)
        self.add('')
        tell(b'r', number, {})

    def add(self, below):
        path = os.path.join(self.path, below)
        wanted = sum(self.KINDS) | 0x01000000 | 0x02000000  # directories alone, links not followed
        number = self.library.inotify_add_watch(self.fd, os.fsencode(path), ctypes.c_uint32(wanted if below else wanted & ~0x02000000))
        if number < 0:
            return
        self.below[number] = below
        for name in os.listdir(path) if self.recursive else []:
            if os.path.isdir(os.path.join(path, name)) and not os.path.islink(os.path.join(path, name)):
                self.add(os.path.join(below, name))

    def ready(self, fd, events):
        data = os.read(fd, PIECE)
        while data:
            number, mask, _, size = self.EVENT.unpack_from(data)
            name = os.fsdecode(data[16:16 + size].rstrip(b'\0'))
            data = data[16 + size:]
            below = os.path.join(self.below.get(number, ''), name)
            for bit, kind in self.KINDS.items():
                if mask & bit and name:
                    tell(b'r', self.number, {'name': below, 'type': kind})
            if self.recursive and mask & 0x40000000 and mask & 0x180:
                self.add(below)

    def drop(self):
        if getattr(self, 'fd', -1) >= 0:
            selector.unregister(self.fd)
            os.close(self.fd)


def file_answer(ask, path):
    what = ask['op']
    if what == 'stat':
        return {'entry': entry_of(path)}
    if what == 'list':
        return {'entries': [*entries_below(path, max(1, ask.get('depth', 1)))]}
    if what == 'mkdir':
        return {'entry': make_directory(path)}
    if what == 'move':
        return {'entry': move(path, resolve(ask['to']))}
    if what == 'remove':
        return remove(path) or {}
    raise Failure('unimplemented', f'{what} is not known here')


def opened(number, ask):
    if ask['op'] == 'start':
        Command(number, ask)
        return
    path = resolve(ask.get('path', ''))
    if ask['op'] == 'read':
        Reading(number, path)
    elif ask['op'] == 'write':
        Writing(number, path)
    elif ask['op'] == 'watch':
        Watch(number, path, bool(ask.get('recursive')))
    else:
        tell(b'x', number, file_answer(ask, path))


def guarded(number, what, *arguments):
    """What fails closes its channel, and no other."""
    try:
        what(*arguments)
        return
    except Failure as error:
        failure = error
    except OSError as error:
        failure = explain(error, getattr(error, 'filename', None) or 'input or output')
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        failure = Failure('invalid_argument', f'malformed: {error}')
    if number in channels:
        channels[number].fail(failure)
    else:
        tell(b'x', number, {'error': {'code': failure.code, 'message': str(failure)}})


def take(kind, number, data):
    channel = channels.get(number)
    if kind == b'q':
        guarded(number, opened, number, json.loads(data))
    elif not channel:
        return
    elif kind == b'd':
        guarded(number, channel.data, data)
    elif kind == b'f':
        guarded(number, channel.finish)
    elif kind == b'a':
        guarded(number, channel.more, *NUMBER.unpack(data))
    elif kind == b'c':
        guarded(number, channel.word, json.loads(data))


received = bytearray()


def hear(fd, events):
    try:
        piece = os.read(fd, 4 * PIECE)
    except BlockingIOError:
        return
    if not piece:
        sys.exit(0)
    received.extend(piece)
    at = 0
    while len(received) - at >= HEAD.size:
        size, kind, number = HEAD.unpack_from(received, at)
        if len(received) - at < size + 4:
            break
        data = bytes(received[at + HEAD.size:at + 4 + size])
        at += size + 4
        take(kind, number, data)
    del received[:at]


def woken(fd, events):
    os.read(fd, 4096)
    reap()


def main():
    wakes, wakened = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(wakened, False)
    os.set_blocking(0, False)
    signal.set_wakeup_fd(wakened)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector.register(wakes, selectors.EVENT_READ, woken)
    selector.register(0, selectors.EVENT_READ, hear)
    tell(b'r', 0, {'home': HOME, 'user': name_of(pwd.getpwuid, os.getuid())})
    while True:
        ready = [one for one in readers if one.credit > 0]
        for key, events in selector.select(0 if ready else None):
            if key.fileobj in selector.get_map():
                key.data(key.fileobj, events)
        for reader in ready:
            if reader in readers:
                guarded(reader.number, reader.step)


main()
