#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_plot.py START.JSON DIRECTORY: draws what bench-start measured, as SVG.

Prints Markdown that shows the plots. Nothing but the standard library.
"""
import json
import math
import os
import sys
from xml.sax.saxutils import escape

OURS = ['#0b6e4f', '#e07a1f', '#7b3fa0', '#1f6fb2']
OTHERS = ['#5b6b7a', '#a3762c', '#8d99a6']
INK, FAINT, GRID = '#1d252c', '#5b6b7a', '#e3e8ec'
FONT = "font-family=\"'DejaVu Sans', Verdana, sans-serif\""


class Picture:
    """Collects elements; the place of (0, 0) is the top left."""

    def __init__(self, width, height, title, subtitle):
        self.size = width, height
        self.parts = []
        self.text(24, 34, title, size=18, weight='bold')
        self.text(24, 55, subtitle, size=12, fill=FAINT)

    def text(self, x, y, what, size=12, anchor='start', fill=INK, weight='normal', turn=None):
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn is not None else ''
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{fill}" font-weight="{weight}"{turned}>{escape(what)}</text>')

    def line(self, x1, y1, x2, y2, stroke=GRID, width=1.0, dash=''):
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width}" stroke-dasharray="{dash}"/>')

    def box(self, x, y, width, height, fill, opacity=1.0):
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
            f'height="{height:.1f}" rx="2" fill="{fill}" fill-opacity="{opacity}"/>')

    def path(self, points, stroke, dash=''):
        at = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
        self.parts.append(f'<polyline points="{at}" fill="none" stroke="{stroke}" '
                          f'stroke-width="2.2" stroke-dasharray="{dash}" '
                          'stroke-linejoin="round"/>')

    def dot(self, x, y, fill):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" fill="{fill}"/>')

    def save(self, name):
        width, height = self.size
        with open(name, 'w', encoding='utf-8') as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
                       f'height="{height}" viewBox="0 0 {width} {height}" {FONT}>\n'
                       f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n')
            file.write('\n'.join(self.parts))
            file.write('\n</svg>\n')


class Log:
    """A logarithmic axis: values low..high onto start..end, by whole steps of 1, 2, 5."""

    def __init__(self, values, start, end):
        self.low, self.high = self.below(min(values)), self.above(max(values))
        self.start, self.end = start, end

    @staticmethod
    def steps():
        return [step * 10.0 ** power for power in range(-4, 8) for step in (1, 2, 5)]

    def below(self, value):
        return max(step for step in self.steps() if step <= value)

    def above(self, value):
        return min(step for step in self.steps() if step >= value * 1.02)

    def __call__(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self):
        return [step for step in self.steps()
                if self.low * 0.999 <= step <= self.high * 1.001]


def number(value):
    if value >= 100:
        return f'{value:,.0f}'
    return f'{value:.3g}'


def colours(names):
    """Ours stand out; the others are greys and browns."""
    ours, others = iter(OURS), iter(OTHERS)
    return {name: next(ours if name.startswith('mimobox') else others, FAINT) for name in names}


def bars(entries, key, title, subtitle, axis_title, name):
    """Horizontal bars to p50, with a thin one on to p99; the quickest first."""
    here = sorted((e for e in entries if not e['missing'] and key in e),
                  key=lambda e: e[key]['p50'])
    absent = [e for e in entries if e['missing']]
    left, right, top, row = 270, 110, 100, 30
    width = 960
    bottom = top + row * len(here)
    picture = Picture(width, bottom + 62 + 16 * len(absent), title, subtitle)
    values = [e[key][part] / 1000 for e in here for part in ('p50', 'p99')]
    axis = Log([min(values) * 0.7] + values, left, width - right)
    picture.box(left, 70, 22, 11, OTHERS[0])
    picture.text(left + 28, 80, 'p50')
    picture.box(left + 70, 73, 22, 5, OTHERS[0], 0.45)
    picture.text(left + 98, 80, 'to p99')
    picture.box(left + 160, 70, 22, 11, OURS[0])
    picture.text(left + 188, 80, 'mimobox')
    picture.text(width - 24, 80, 'p50 / p99, ms', anchor='end', fill=FAINT)
    for tick in axis.ticks():
        picture.line(axis(tick), top - 6, axis(tick), bottom)
        picture.text(axis(tick), bottom + 17, number(tick), anchor='middle', fill=FAINT)
    for i, entry in enumerate(here):
        y = top + row * i
        p50, p99 = entry[key]['p50'] / 1000, entry[key]['p99'] / 1000
        colour = OURS[0] if entry['ours'] else OTHERS[0]
        picture.text(left - 10, y + 17, entry['name'], size=13, anchor='end',
                     weight='bold' if entry['ours'] else 'normal')
        picture.box(axis(p50), y + 10, axis(p99) - axis(p50), 5, colour, 0.45)
        picture.box(left, y + 4, axis(p50) - left, 17, colour)
        picture.text(width - 24, y + 17, f'{number(p50)} / {number(p99)}', anchor='end')
    picture.line(left, top - 6, left, bottom, INK)
    picture.text((left + width - right) / 2, bottom + 40, axis_title, anchor='middle')
    for i, entry in enumerate(absent):
        picture.text(24, bottom + 58 + 16 * i,
                     f'{entry["name"]} is not here: {entry["missing"]}', size=11, fill=FAINT)
    picture.save(name)


def spread(labels, gap=15):
    """Labels at the end of lines, moved apart: (y, ...) by y."""
    labels = sorted(labels)
    for i in range(1, len(labels)):
        if labels[i][0] < labels[i - 1][0] + gap:
            labels[i] = (labels[i - 1][0] + gap,) + labels[i][1:]
    return labels


def curves(lines, title, subtitle, x_title, y_title, name):
    """Lines of (label, colour, dash, points) over two logarithmic axes."""
    lines = [line for line in lines if line[3]]
    left, right, top, bottom, width, height = 84, 250, 82, 410, 960, 470
    picture = Picture(width, height, title, subtitle)
    xs = sorted({x for line in lines for x, _ in line[3]})
    across = Log([xs[0], xs[-1]], left, width - right)
    across.low, across.high = xs[0], xs[-1] if xs[-1] > xs[0] else 2 * xs[0]
    up = Log([y for line in lines for _, y in line[3]], bottom, top)
    for tick in up.ticks():
        picture.line(left, up(tick), width - right, up(tick))
        picture.text(left - 8, up(tick) + 4, number(tick), anchor='end', fill=FAINT)
    for x in xs:
        picture.line(across(x), top, across(x), bottom)
        picture.text(across(x), bottom + 18, f'{x:,}', anchor='middle', fill=FAINT)
    picture.line(left, bottom, width - right, bottom, INK)
    picture.line(left, top, left, bottom, INK)
    picture.text((left + width - right) / 2, bottom + 42, x_title, anchor='middle')
    picture.text(26, (top + bottom) / 2, y_title, anchor='middle', turn=-90)
    labels = []
    for label, colour, dash, points in lines:
        at = [(across(x), up(y)) for x, y in points]
        picture.path(at, colour, dash)
        for x, y in at:
            picture.dot(x, y, colour)
        labels.append((at[-1][1], label, colour, dash, at[-1][1]))
    for y, label, colour, dash, end in spread(labels):
        picture.line(width - right + 4, end, width - right + 20, y, colour, 0.7)
        picture.line(width - right + 20, y, width - right + 44, y, colour, 2.2, dash)
        picture.text(width - right + 50, y + 4, label)
    picture.save(name)


def rates(data, to):
    names = list(dict.fromkeys(row['name'] for row in data['rate']))
    colour = colours(names)
    curves([(name, colour[name], '',
             [(row['clients'], row['rate']) for row in data['rate'] if row['name'] == name])
            for name in names],
           'Programs a second',
           'Each run prints a text of its own, which is read and compared: none was lost.',
           'clients at a time', 'runs per second (log)', os.path.join(to, 'rate.svg'))


def crowds(data, to):
    rows = [row for row in data['crowd'] if row['sessions'] > 0]
    names = list(dict.fromkeys(row['name'] for row in rows))
    colour = colours(names)

    def points(name, key, unit):
        return [(row['sessions'], row[key] / unit) for row in rows
                if row['name'] == name and row.get(key)]

    curves([(f'{name}, {part}', colour[name], dash, points(name, part, 1000))
            for name in names for part, dash in (('p50', ''), ('p99', '5 4'))],
           'Life of /bin/true among idle sessions',
           'From mkdir, or fork, until its exit is known.',
           'idle sessions (log)', 'milliseconds (log)', os.path.join(to, 'crowd.svg'))
    ours = [name for name in names if name.startswith('mimobox')]
    curves([(f'{"" if len(ours) == 1 else name + ", "}{what}', colour[name], dash,
             points(name, key, 1024))
            for name in ours for key, what, dash in (('rss_kib', 'daemon (RSS)', ''),
                                                     ('pss_kib', 'sandboxes (Pss)', '5 4'))],
           'Memory of idle sessions', 'Each of them has an init and a sleep.',
           'idle sessions (log)', 'MiB (log)', os.path.join(to, 'memory.svg'))


def main():
    source, to = sys.argv[1:]
    with open(source, encoding='utf-8') as file:
        data = json.load(file)
    rounds = f'{data["rounds"]} of each, in turn.'
    shown = []
    if data.get('life'):
        bars(data['life'], 'life', 'Life of /bin/true',
             f'From fork, or mkdir, until its exit is known. {rounds}',
             'milliseconds (log), less is better', os.path.join(to, 'life.svg'))
        shown.append('life')
    if data.get('byte'):
        bars(data['byte'], 'byte', 'Start to the first byte of output',
             f'From fork, or the write of start, until it was read. {rounds}',
             'milliseconds (log), less is better', os.path.join(to, 'byte.svg'))
        shown.append('byte')
    if data.get('rate'):
        rates(data, to)
        shown.append('rate')
    if data.get('crowd'):
        crowds(data, to)
        shown += ['crowd', 'memory']
    print('\n## Plots\n')
    for name in shown:
        print(f'![{name}]({name}.svg)')


if __name__ == '__main__':
    main()
