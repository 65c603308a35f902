# SPDX-License-Identifier: MIT
"""What a terminal shows, with its colours, from the characters that were printed on it."""
import functools
import re
import unicodedata

PALETTE = ('#2e3440 #e0616b #8fc26f #e0b45c #6f9fe0 #b48ade #6cc1c9 #d8dee9 '
           '#697387 #ff7b85 #aede8e #ffd37b #8fbfff #d3a9fc #8be0e8 #ffffff').split()
PALETTE += ['#%02x%02x%02x' % tuple(n and 55 + 40 * n for n in (i // 36, i // 6 % 6, i % 6))
            for i in range(216)] + ['#' + '%02x' % (8 + 10 * i) * 3 for i in range(24)]
PLAIN = (None, None, frozenset())  # a pen: foreground, background, other SGR numbers in force
TOKEN = re.compile(
    r'\x1b\[(?P<leader>[<-?]?)(?P<numbers>[\d;:]*)(?P<between>[ -/]*)(?P<csi>[@-~])|'
    r'\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b]*\x1b\\|\x1b(?P<charset>[ -/]+[0-~])|'
    r'(?:\x1b(?P<escape>[0-OQ-WYZ\\`-~]))|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])|'
    r'(?P<text>[^\x00-\x1f\x7f-\x9f]+)')
DRAWING = str.maketrans('`abcdefghijklmnopqrstuvwxyz{|}~', '◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·')


@functools.lru_cache(None)
def columns_of(character):
    if ord(character) >= 0x300 and unicodedata.category(character) in ('Mn', 'Me', 'Cf'):
        return 0
    return 2 if unicodedata.east_asian_width(character) in 'WF' else 1


class Terminal:
    """A cell is (text, pen, columns): behind a wide character comes one of 0 columns."""

    def __init__(self, rows, cols):
        self.rows, self.cols, self.row, self.col, self.pen = rows, cols, 0, 0, PLAIN
        self.top, self.bottom, self.saved = 0, rows - 1, (PLAIN, 0, 0)
        self.wraps, self.full, self.inserts, self.cursor = True, False, False, True
        self.drawing, self.base, self.last, self.rest = False, None, '', ''
        self.lines, self.primary = [], None  # which is kept while the alternate screen is shown
        self.tabs = set(range(8, 65536, 8))
        self.fit(self.lines)

    def blank(self, count):
        return [(' ', (None, self.pen[1], frozenset()), 1)] * max(count, 0)

    def fit(self, lines):
        lines[:] = [(line + self.blank(self.cols))[:self.cols] for line in lines[:self.rows]]
        lines += [self.blank(self.cols) for _ in range(self.rows - len(lines))]

    def resize(self, rows, cols):
        lines = self.primary or self.lines
        last = max(i * any(cell[0] != ' ' for cell in line) for i, line in enumerate(lines))
        cursor = last if self.primary else self.row
        up = max(min(max(last, cursor) + 1 - rows, cursor), 0)
        del lines[:up]
        self.rows, self.cols, self.top, self.bottom = rows, cols, 0, rows - 1
        self.go(self.row - up * (not self.primary), self.col)
        self.fit(lines)
        self.fit(self.lines)

    def go(self, row, col):
        self.row, self.col = min(max(row, 0), self.rows - 1), min(max(col, 0), self.cols - 1)
        self.full = False

    def scroll(self, count, top):
        """Up by `count` rows, or down where it is negative."""
        for _ in range(min(abs(count), self.rows)):
            del self.lines[top if count > 0 else self.bottom]
            self.lines.insert(self.bottom if count > 0 else top, self.blank(self.cols))

    def line_feed(self):
        if self.row == self.bottom:
            self.scroll(1, self.top)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def put(self, character):
        columns = columns_of(character)
        if columns == 0 and self.base:
            line, col = self.base
            line[col] = ((line[col][0] + character)[:6], *line[col][1:])
        if columns == 0 or character in '\u2028\u2029' or columns > self.cols:
            return
        if self.full or self.col + columns > self.cols:
            self.col = 0
            self.line_feed()
        line, self.col = self.lines[self.row], min(self.col, self.cols - columns)
        line[self.col:self.col + columns * (not self.inserts)] = \
            [(character, self.pen, columns)] + [('', self.pen, 0)] * (columns - 1)
        del line[self.cols:]
        self.base, self.last = (line, self.col), character
        self.full = self.wraps and self.col + columns >= self.cols
        self.col = min(self.col + columns, self.cols - 1)

    def feed(self, data):
        data, at = self.rest + data, 0
        while at < len(data):
            token = TOKEN.match(data, at)
            if not token and len(data) - at < 65536:
                break  # the rest of it is yet to come
            at = token.end() if token else at + 1
            if token and token['text']:
                for character in token['text'].translate(DRAWING if self.drawing else {}):
                    self.put(character)
            elif token:
                self.base = None
                self.control(token)
        self.rest = data[at:]

    def control(self, token):
        code = token['control'] or token['escape'] or ''
        if token['csi'] and token['leader'] in ('', '?') and not token['between']:
            numbers = [int(n or 0) for n in re.split('[;:]', token['numbers'])]
            if token['csi'] in 'hl':
                for number in numbers:
                    self.mode(token['leader'], number, token['csi'] == 'h')
            elif token['csi'] == 'm' and not token['leader']:
                self.style(iter(numbers))
            else:
                self.sequence(token['csi'], numbers[0], (numbers + [0])[1])
        elif token['csi'] == 'p' and token['between'] == '!':
            self.wraps, self.inserts, self.drawing, self.cursor = True, False, False, True
            self.top, self.bottom, self.pen = 0, self.rows - 1, PLAIN
        elif token['charset'] in ('(0', '(B'):
            self.drawing = token['charset'] == '(0'
        elif code in ('\r', '\b'):
            self.go(self.row, 0 if code == '\r' else self.col - 1)
        elif code == '\t':
            self.go(self.row, min(t for t in self.tabs | {65536} if t > self.col))
        elif code and code in '\n\v\fD\x84E\x85':
            self.full = False
            self.col *= code not in 'E\x85'
            self.line_feed()
        elif code in ('M', '\x8d') and self.row == self.top:
            self.scroll(-1, self.top)
        elif code in ('M', '\x8d'):
            self.go(self.row - 1, self.col)
        elif code in ('H', '\x88'):
            self.tabs.add(self.col)
        elif code == '7':
            self.saved = (self.pen, self.row, self.col)
        elif code == '8':
            self.pen = self.saved[0]
            self.go(*self.saved[1:])
        elif code == 'c':
            self.__init__(self.rows, self.cols)

    def sequence(self, final, number, second):
        row, col, cols, count = self.row, self.col, self.cols, number or 1
        line = self.lines[row]
        match final:
            case 'A': self.go(max(row - count, self.top * (row >= self.top)), col)
            case 'B': self.go(min(row + count, self.bottom if row <= self.bottom else 65536), col)
            case 'C': self.go(row, col + count)
            case 'D': self.go(row, col - count)
            case 'E' | 'F': self.go(row + (count if final == 'E' else -count), 0)
            case 'G' | '`': self.go(row, count - 1)
            case 'd': self.go(count - 1, col)
            case 'H' | 'f': self.go(count - 1, (second or 1) - 1)
            case 'J' | 'K':
                first, end = 0 if number else col, col + 1 if number == 1 else cols
                line[first:end] = self.blank(end - first)
                for other in range(self.rows) if final == 'J' else ():
                    if number == 2 or other < row and number == 1 or other > row and number == 0:
                        self.lines[other] = self.blank(cols)
            case 'L' | 'M' if self.top <= row <= self.bottom:
                self.scroll(count if final == 'M' else -count, row)
            case 'S': self.scroll(count, self.top)
            case 'T' if not second: self.scroll(-count, self.top)
            case '@': line[col:] = (self.blank(min(count, cols)) + line[col:])[:cols - col]
            case 'P': line[col:] = (line[col + count:] + self.blank(cols))[:cols - col]
            case 'X': line[col:col + count] = self.blank(min(count, cols - col))
            case 'b':
                for character in self.last * min(count, cols - col):
                    self.put(character)
            case 'g': self.tabs = set() if number == 3 else self.tabs - {col}
            case 'r':
                self.top, self.bottom = count - 1, min(second or self.rows, self.rows) - 1
                if self.top >= self.bottom:
                    self.top, self.bottom = 0, self.rows - 1
                self.go(0, 0)
            case 's' | 'u': self.control(TOKEN.match('\x1b' + '78'[final == 'u']))

    def mode(self, leader, number, on):
        match leader, number:
            case '', 4: self.inserts = on
            case '?', 7: self.wraps = on
            case '?', 25: self.cursor = on
            case '?', 47 | 1047 | 1048 | 1049:
                if on and number > 1047:
                    self.control(TOKEN.match('\x1b7'))
                if on != bool(self.primary) and number != 1048:
                    self.lines, self.primary = ([], self.lines) if on else (self.primary, None)
                    self.fit(self.lines)
                if not on and number > 1047:
                    self.control(TOKEN.match('\x1b8'))

    def style(self, numbers):
        fore, back, rest = self.pen
        for n in numbers:
            if n in (38, 48):
                kind = next(numbers, 0)
                parts = [min(next(numbers, 0), 255) for _ in range({5: 1, 2: 3}.get(kind, 0))]
                colour = '#' + bytes(parts).hex() if kind == 2 else \
                    PALETTE[parts[0]] if kind == 5 else None
                fore, back = (colour, back) if n == 38 else (fore, colour)
            elif n == 0: fore, back, rest = PLAIN
            elif n < 10: rest |= {n}
            elif 20 < n < 30: rest -= {1, 2} if n == 22 else {n - 20}
            elif n % 60 in range(30, 38): fore = PALETTE[n % 10 + 8 * (n > 50)]
            elif n % 60 in range(40, 48): back = PALETTE[n % 10 + 8 * (n > 50)]
            elif n == 39: fore = None
            elif n == 49: back = None
        self.pen = fore, back, rest

    def screen(self):
        """Each row; half a wide character is a blank."""
        for line in self.lines:
            row = []
            for i, (text, pen, columns) in enumerate(line):
                half = columns == 2 and (i + 1 == len(line) or line[i + 1][2]) or \
                    columns == 0 and (i == 0 or row[i - 1][2] != 2)
                row.append((' ', pen, 1) if half else (text, pen, columns))
            yield tuple(row)
