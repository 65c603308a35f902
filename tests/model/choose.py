# SPDX-License-Identifier: MIT
"""Random operations. What is drawn depends on the seed alone, not on how the mount answers."""
import config as configs
import operations
import programs
from files import BAD_QUESTIONS, STREAMS
from world import MODES

SLOTS, HANDLES = 6, 16
VERBS = ['start', 'kill', 'eof', 'hangup', 'stop', 'cont', 'cont', '', 'START', 'start now',
         'bogus', 'kill -9', 'signal', 'x' * 200]
SIGNALS = [*operations.SIGNALS, *operations.HARMLESS, *operations.NO_SIGNALS]
NAMES = [program.name for program in programs.ALL]
GOOD_SIZES = ['24 80', '5 20', '50 132', '10 40', '2 2', '1 1', '3 300', ' 7  9 ', '24 81']
FILES = list(MODES)
TEXTS = ['a', 'bc', 'hello', 'x1 y2', 'zebra', 'k' * 300, 'line\nline', '\n', 'foo\nbar\nbaz\n',
         'q' * 1500]
QUESTIONS = ['ready', 'hi', 'hello', 'zebra', 'never', 'line 3', 'bye', '399', 'x']


class Chooser:
    """Operations for the clients of one world."""

    def __init__(self, rng, clients):
        self.rng, self.clients = rng, clients
        table = [(weight, name[4:], getattr(self, name)) for name, weight in self.weights()]
        self.names = [(name, function) for _, name, function in table]
        self.chances = [weight for weight, _, _ in table]

    @staticmethod
    def weights():
        return [('gen_' + name, weight) for name, weight in (
            ('mkdir', 8), ('launch', 8), ('mkdir_bad', 1), ('rmdir', 6), ('refused', 3), ('chmod', 1),
            ('stat', 4), ('list', 2), ('workspace', 1), ('program', 6), ('config', 6),
            ('size', 4), ('start', 6), ('ctl', 8), ('type', 14), ('long_line', 3), ('open', 14),
            ('ask', 5), ('ask_bad', 1), ('close', 6), ('dup', 2), ('read', 30), ('get', 10),
            ('get_root', 1), ('write', 10), ('truncate', 1), ('interrupt', 3), ('join', 1),
            ('poll', 6), ('poll_wait', 2))]

    def next(self):
        name, function = self.rng.choices(self.names, self.chances)[0]
        arguments = function()
        name = 'ctl' if name == 'start' else name
        return [self.rng.randrange(self.clients), name, *arguments]

    def slot(self):
        return self.rng.randrange(SLOTS)

    def handle(self):
        return self.rng.randrange(HANDLES)

    def one(self, *choices):
        return self.rng.choice(choices)

    def gen_mkdir(self):
        return [self.slot(), self.one(0o755, 0o700, 0o711, 0o750)]

    def gen_mkdir_bad(self):
        return [self.rng.randrange(len(operations.BAD_NAMES))]

    def gen_rmdir(self):
        return [self.slot()]

    def gen_refused(self):
        kind = self.one('rename', 'rename-file', 'unlink', 'mkdir', 'create', 'create-root',
                        'symlink', 'link', 'chmod', 'chown', 'unlink-directory', 'rmdir')
        return [self.slot(), kind, self.one('log', 'input', 'output', 'config')]

    def gen_chmod(self):
        return [self.slot(), self.one(0o755, 0o700, 0o711, 0o750)]

    def gen_stat(self):
        return [self.slot(), self.one('', 'transcript', *FILES)]

    def gen_list(self):
        return [self.one(-1, self.slot())]

    def gen_workspace(self):
        return [self.slot()]

    def program(self):
        return self.one(*programs.BROKEN) if self.rng.random() < 0.05 else self.one(
            *NAMES, 'raw', 'pipe', 'echo', 'trap', 'shell', 'deaf')

    def gen_program(self):
        return [self.slot(), self.program(), self.one('w', 'wt', 'wa')]

    def gen_launch(self):
        return [self.slot(), self.program()]

    def lines(self):
        lines = [self.one(*configs.GOOD) for _ in range(self.rng.randrange(4))]
        if self.rng.random() < 0.4 or not lines:
            lines.insert(self.rng.randrange(len(lines) + 1), self.one(*configs.WRONG))
        return lines

    def gen_config(self):
        return [self.slot(), self.lines(), self.one('w', 'wt', 'wa')]

    def gen_size(self):
        lines = [self.one(*GOOD_SIZES) for _ in range(self.one(1, 1, 2))]
        if self.rng.random() < 0.3:
            lines.insert(self.one(0, len(lines)), self.one(*operations.BAD_SIZES))
        return [self.slot(), lines]

    def gen_start(self):
        return [self.slot(), ['start']]

    def verbs(self):
        return [self.one('signal ' + self.one(*SIGNALS), self.one(*VERBS))
                for _ in range(self.one(1, 1, 1, 2, 3))]

    def gen_ctl(self):
        return [self.slot(), self.verbs(), self.one('w', 'wt', 'wa')]

    def gen_type(self):
        return [self.slot(), self.one(*TEXTS)]

    gen_long_line = gen_workspace

    def gen_open(self):
        file = self.one(*FILES, *(3 * STREAMS), 'exit', 'exit', 'output', 'output')
        way = self.one('r', 'r', 'r', 'rw', 'w', 'wt') if MODES[file] != 0o200 else \
            self.one('w', 'w', 'wt', 'wa', 'r')
        if MODES[file] == 0o400 and self.rng.random() < 0.8:
            way = 'r'
        if self.rng.random() < 0.12:
            return [self.handle(), -1, self.one('events', 'events', 'stats', 'metrics', 'defaults'), 'r',
                    self.one(True, True, False)]
        return [self.handle(), self.slot(), file, way, self.one(False, False, True)]

    def gen_ask(self):
        kind = self.one('exit', 'match', 'match', 'from', 'from', 'idle')
        text = {'exit': '', 'idle': self.one(1, 5, 20), 'match': self.one(*QUESTIONS),
                'from': f'{self.one(0, 0, 3, 5, 40, 1000)}:{self.one(*QUESTIONS)}'}[kind]
        return [self.handle(), self.slot(), kind, text, self.one(False, False, True)]

    def gen_ask_bad(self):
        return [self.slot(), self.one(*BAD_QUESTIONS)]

    def gen_close(self):
        return [self.handle()]

    gen_dup = gen_close
    gen_poll = gen_close
    gen_poll_wait = gen_close

    def gen_read(self):
        return [self.handle(), self.one(1, 3, 7, 100, 4096, 65536, 65536, 65536),
                self.one(-1, -1, -1, -1, 0, 0, 1, 5, 100, 100000)]

    def gen_get(self):
        return [self.slot(), self.one(*[file for file in FILES if file != 'input'])]

    def gen_get_root(self):
        return [self.one('stats', 'metrics', 'defaults')]

    def gen_write(self):
        return [self.handle(), {'input': self.one(*TEXTS), 'config': '\n'.join(self.lines()),
                                'size': '\n'.join(self.gen_size()[1]) + '\n',
                                'ctl': '\n'.join(self.verbs()) + '\n'}]

    def gen_truncate(self):
        return [self.slot(), self.one('input', 'output', 'size', 'ctl', 'config', 'log')]

    def gen_interrupt(self):
        return []

    gen_join = gen_interrupt
