# SPDX-License-Identifier: MIT
"""What there is, as its users may expect it: sessions, open files, what has happened."""
import re

import config as configs
import programs

CREATED, RUNNING, EXITED = 'created', 'running', 'exited'
TIME = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z'
MODES = {'input': 0o200, 'output': 0o400, 'size': 0o600, 'ctl': 0o600, 'exit': 0o400,
         'config': 0o600, 'status': 0o400, 'log': 0o400, 'screen': 0o400, 'transcript': 0o400,
         'cast': 0o400, 'cursor': 0o400, 'changes': 0o400, 'sizes': 0o400, 'modes': 0o400, 'stderr': 0o400}
ROOT_MODES = {'defaults': 0o644, 'events': 0o444, 'stats': 0o444, 'metrics': 0o444}


class Mismatch(Exception):
    """Something is other than the model says."""


class Event:
    """A line of `events`; one that may come is not `certain` yet."""

    def __init__(self, session, what, certain):
        self.session, self.what, self.certain = session, what, certain

    def matches(self, what):
        if self.what == 'started':
            return bool(re.fullmatch(r'started [1-9]\d*', what))
        if self.what == 'exited':
            found = re.fullmatch(r'exited (-?\d+)', what)
            return bool(found) and int(found[1]) in self.session.possible()
        return self.what == what


class Session:
    """
    printed, errors: what is printed in all, of which seen[] bytes are known to be there. ending:
    it will end by itself, and may have. cut: it may print less than that, since it was killed.
    """

    def __init__(self, name, uid, mode):
        self.name, self.uid, self.mode = name, uid, mode
        self.config = configs.defaults()
        self.rows, self.cols = 24, 80
        self.state, self.removed = CREATED, False
        self.program = None
        self.printed = [bytearray(), bytearray()]
        self.seen = [0, 0]
        self.ending = self.cut = self.stopped = self.input_over = self.hung = False
        self.statuses, self.reasons, self.status = set(), set(), None
        self.refused = []
        self.told = None  # where the bytes that are known end, of what was removed
        self.size_at_start, self.resized, self.started = None, False, 0.0
        self.killed = 0.0  # when it was told to end

    def terminal(self):
        return self.config['terminal'] == 'yes'

    def find_program(self):
        return programs.find(self.config)

    def lives(self):
        """For certain."""
        return self.state == RUNNING and not self.ending and not self.removed

    def over(self):
        return self.state == EXITED

    def flows(self):
        """What is to be printed will be, without anybody's doing."""
        return not (self.stopped or self.cut or self.removed)

    def quiet(self):
        return self.seen[0] == len(self.printed[0])

    def possible(self):
        return self.statuses if self.status is None else {self.status}

    def end_by(self, statuses, reasons, cut):
        self.ending = True
        self.statuses |= set(statuses)
        self.reasons |= set(reasons)
        self.cut |= cut

    def files(self):
        names = set(MODES) | {'wait', 'workspace'}
        return names if not self.terminal() else names - {'stderr'}


class Handle:
    """An open file. session: None for those of the root."""

    def __init__(self, fd, session, file, uid, nonblock, way):
        self.way = way
        self.fd, self.session, self.file = fd, session, file
        self.uid, self.nonblock = uid, nonblock
        self.next, self.blurred = 0, False
        self.text = None
        self.question, self.start, self.asked = None, 0, 0.0
        self.due = []    # events: [Event, whether it may have come before this was opened]
        self.line = b''  # events: the beginning of one

    def stream(self):
        return 1 if self.file == 'stderr' else 0


def screen(text, rows, cols):
    """Plain text on a terminal: a list of lines without the blanks at their ends."""
    lines, row, col = [[' '] * cols for _ in range(rows)], 0, 0

    def feed(row):
        if row < rows - 1:
            return row + 1
        lines.append([' '] * cols)
        del lines[0]
        return row

    for byte in text.decode('ascii'):
        if byte == '\r':
            col = 0
        elif byte == '\n':
            row = feed(row)
            col = min(col, cols - 1)
        else:
            if col == cols:
                row, col = feed(row), 0
            lines[row][col] = byte
            col += 1
    return [''.join(line).rstrip() for line in lines]


def lines_of_log(text):
    """Those of its life, and the others, without their times."""
    life, others = [], []
    for line in text.splitlines():
        found = re.fullmatch(TIME + ' (.+)', line)
        if not found:
            raise Mismatch(f'a line of the log: {line!r}')
        if found[1].startswith('input was dropped'):
            continue  # what a program that has ended would have read
        kind = life if re.fullmatch(r'created|started \d+|exited -?\d+|timeout', found[1]) else others
        kind.append(found[1])
    return life, others
