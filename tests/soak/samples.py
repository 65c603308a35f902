# SPDX-License-Identifier: MIT
"""What the daemon holds, time by time: samples, their growth, and pictures of them."""
import csv
import os

import bench_plot
import mount as mounts

LEAKS = ('descriptors', 'helper_descriptors', 'threads', 'processes', 'cgroups', 'mount_namespaces',
         'workspaces', 'spool_files', 'sessions')
FIELDS = ('seconds', 'rss_kib', 'pss_kib', 'helpers_pss_kib') + LEAKS + (
    'terminals', 'echo_p50_us', 'echo_p99_us', 'start_p50_us', 'start_p99_us', 'lives', 'wrong')
PANELS = (('Memory, MiB', 1024, ('rss_kib', 'pss_kib', 'helpers_pss_kib')),
          ('Number of', 1, LEAKS[:7]),
          ('Echo, ms', 1000, ('echo_p50_us', 'echo_p99_us')),
          ('Start, ms', 1000, ('start_p50_us', 'start_p99_us')))


def values_of(path):
    with open(path, encoding='ascii', errors='replace') as file:
        return dict(line.split(':', 1) for line in file if ':' in line)


def kib(pid, file, key):
    try:
        return int(values_of(f'/proc/{pid}/{file}')[key].split()[0])
    except (OSError, KeyError, ProcessLookupError):
        return 0


def count(path):
    try:
        return len(os.listdir(path))
    except OSError:
        return 0


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def descendants(pid):
    found, new = [], [pid]
    while new:
        one = new.pop()
        try:
            more = mounts.children(one)
        except OSError:
            continue
        found += more
        new += more
    return found


def cgroup_roots(pid):
    """The daemon's own directories, in whatever hierarchy."""
    return [os.path.join(at, name) for at, names, _ in os.walk('/sys/fs/cgroup')
            for name in names if name == f'mimobox-{pid}']


def part(values, share):
    values = sorted(values)
    return round(1e6 * values[min(len(values) - 1, int(share * len(values)))]) if values else ''


def name_of(pid):
    try:
        with open(f'/proc/{pid}/comm', encoding='ascii') as file:
            return file.read().strip()
    except FileNotFoundError:
        return ''


def sample(soak):
    """One row."""
    pid, directory = soak.mount.pid, soak.mount.directory
    echoes, soak.echoes = soak.echoes, []
    starts, soak.starts = soak.starts, []
    everyone = descendants(pid)
    space = link(f'/proc/{pid}/ns/pid')
    own = [one for one in everyone if link(f'/proc/{one}/ns/pid') == space]
    daemon = [pid] + [one for one in own if name_of(one) == name_of(pid)]  # the keeper, its server
    helpers = [one for one in own if one not in daemon]
    spaces = {link(f'/proc/{one}/ns/mnt') for one in everyone} - {link(f'/proc/{pid}/ns/mnt'), None}
    with open('/proc/sys/kernel/pty/nr', encoding='ascii') as file:
        terminals = int(file.read())
    return {
        'seconds': round(soak.seconds(), 1),
        'rss_kib': sum(kib(one, 'status', 'VmRSS') for one in daemon),
        'pss_kib': sum(kib(one, 'smaps_rollup', 'Pss') for one in daemon),
        'helpers_pss_kib': sum(kib(one, 'smaps_rollup', 'Pss') for one in helpers),
        'descriptors': sum(count(f'/proc/{one}/fd') for one in daemon),
        'helper_descriptors': sum(count(f'/proc/{one}/fd') for one in helpers),
        'threads': count(f'/proc/{pid}/task') + sum(count(f'/proc/{one}/task') for one in helpers),
        'processes': len(everyone),
        'cgroups': sum(os.path.isdir(os.path.join(root, name)) for root in soak.cgroups
                       for name in os.listdir(root)),
        'mount_namespaces': len(spaces), 'workspaces': count(f'{directory}/w'),
        'spool_files': count(f'{directory}/s'),
        'sessions': sum(entry.is_dir() for entry in os.scandir(soak.mount.path)),
        'terminals': terminals,
        'echo_p50_us': part(echoes, 0.5), 'echo_p99_us': part(echoes, 0.99),
        'start_p50_us': part(starts, 0.5), 'start_p99_us': part(starts, 0.99),
        'lives': soak.lives, 'wrong': len(soak.wrong)}


def write(rows, name):
    with open(name, 'w', encoding='ascii', newline='') as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def growth(rows, field):
    """Per hour, by a line through the second half of the samples; None where there are too few."""
    points = [(row['seconds'], row[field]) for row in rows[len(rows) // 2:] if row[field] != '']
    if len(points) < 3:
        return None
    x, y = (sum(values) / len(points) for values in zip(*points))
    spread = sum((a - x) ** 2 for a, _ in points)
    return 3600 * sum((a - x) * (b - y) for a, b in points) / spread if spread else None


class Linear:
    """An axis from 0."""

    def __init__(self, most, start, end):
        self.most, self.start, self.end = most or 1, start, end

    def __call__(self, value):
        return self.start + value / self.most * (self.end - self.start)


def draw(rows, name):
    left, width, height, gap = 84, 960, 150, 50
    picture = bench_plot.Picture(width, 90 + len(PANELS) * (height + gap),
                                 'Soak', f'{rows[-1]["lives"]} sessions in '
                                 f'{rows[-1]["seconds"] / 60:.0f} minutes')
    across = Linear(rows[-1]['seconds'], left, width - 220)
    colours = bench_plot.OURS + bench_plot.OTHERS
    for number, (title, unit, fields) in enumerate(PANELS):
        top = 80 + number * (height + gap)
        bottom = top + height
        lines = {field: [(row['seconds'], row[field] / unit) for row in rows if row[field] != '']
                 for field in fields}
        up = Linear(1.1 * max((y for line in lines.values() for _, y in line), default=1), bottom,
                    top)
        for tick in range(5):
            y = up(up.most * tick / 4)
            picture.line(left, y, width - 220, y)
            picture.text(left - 8, y + 4, bench_plot.number(up.most * tick / 4), anchor='end')
            picture.text(across(across.most * tick / 4), bottom + 16,
                         f'{across.most * tick / 240:.3g} min', anchor='middle', size=10)
        picture.text(26, (top + bottom) / 2, title, anchor='middle', turn=-90)
        for at, (field, line) in enumerate(lines.items()):
            if line:
                picture.path([(across(x), up(y)) for x, y in line], colours[at])
            picture.text(width - 210, top + 14 + 17 * at, field.replace('_', ' '),
                         fill=colours[at])
    picture.save(name)
