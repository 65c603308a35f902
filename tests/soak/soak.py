# SPDX-License-Identifier: MIT
"""soak.py MIMOBOXFS [OPTIONS] [DIRECTORY]: a mixed load for a long time. See contrib/soak."""
import argparse
import os
import queue
import random
import signal
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'model'), os.path.join(HERE, '..', '..', 'contrib')]

import loads  # noqa: E402
import mount as mounts  # noqa: E402
import samples  # noqa: E402

USERS = [0, 23701, 23702]


class Soak:
    def __init__(self, options):
        self.options = options
        self.seed = options.seed or str(random.SystemRandom().randrange(1 << 32))
        self.users = USERS if os.geteuid() == 0 else [os.geteuid()]
        self.mount = mounts.Mount(options.daemon, ['--pool', options.pool])
        self.cgroups = samples.cgroup_roots(self.mount.pid)
        self.begun = time.monotonic()
        self.over = threading.Event()
        self.echoes, self.starts, self.wrong, self.rows = [], [], [], []
        self.lives = self.late = self.again = 0
        self.todo = queue.SimpleQueue()
        self.lock = threading.Lock()

    def seconds(self):
        return time.monotonic() - self.begun

    def guard(self, function, *arguments):
        """What goes wrong is told, counted, and kept until the end."""
        try:
            function(*arguments)
        except loads.Wrong as wrong:
            self.note(str(wrong))
        except Exception:
            self.note(traceback.format_exc())

    def note(self, what):
        with self.lock:
            self.wrong.append(what)
        print(f'{self.seconds():.1f} s: {what}', file=sys.stderr, flush=True)

    def work(self):
        while (number := self.todo.get()) is not None:
            self.guard(loads.one_of, self, number)
            with self.lock:
                self.lives += 1

    def go(self, seconds, first):
        """Lives begin at random times, as many a second as were asked for; the next number."""
        until, number = time.monotonic() + seconds, first
        rng = random.Random(f'{self.seed}/{first}')
        threads = [threading.Thread(target=self.work) for _ in range(self.options.workers)]
        stay = [loads.Shell(self, i) for i in range(self.options.shells)]
        stay += [loads.Parked(self, i) for i in range(self.options.parked)]
        for thread in threads:
            thread.start()
        sampled = time.monotonic()
        while (now := time.monotonic()) < until and self.mount.lives():
            if self.todo.qsize() < 4 * self.options.workers:
                self.todo.put(number)
                number += 1
            else:
                self.late += 1  # the machine is slower than what was asked for
            if now - sampled >= self.options.every:
                sampled = now
                self.rows.append(samples.sample(self))
                self.keep()
            time.sleep(min(rng.expovariate(self.options.rate), self.options.every))
        for _ in threads:
            self.todo.put(None)
        for thread in threads:
            thread.join()
        self.over.set()
        for one in stay:
            one.thread.join(2 * loads.WAIT)
            if one.thread.is_alive():
                self.note('one that stays has not ended')
        self.over.clear()
        return number

    def quiet(self):
        """
        What is held when nothing goes on: two samples alike, a moment apart. What waits in the pool
        holds more or less by its kind, so that is made the same first.
        """
        for number in range(2 * int(self.options.pool) + 1):
            with loads.Session(self, f'plain-{number}', loads.argv('true')) as session:
                session.ended(0)
        factor = int(os.environ.get('MIMOBOX_TEST_FACTOR') or 1)
        before, until = None, time.monotonic() + 30 * factor
        while time.monotonic() < until:
            now = samples.sample(self)
            held = {field: now[field] for field in samples.LEAKS}
            if held == before and held['sessions'] == 0 and self.pool_is_full():
                return held, now
            before = held
            time.sleep(1)
        self.note(f'it does not become quiet: {before}')
        return before, now

    def pool_is_full(self):
        with open(f'{self.mount.path}/stats', encoding='utf-8') as stats:
            return f'pool-ready {self.options.pool}\n' in stats.read()

    def keep(self):
        samples.write(self.rows, os.path.join(self.options.to, 'soak.csv'))
        if len(self.rows) > 1:
            samples.draw(self.rows, os.path.join(self.options.to, 'soak.svg'))

    def report(self, before, after):
        """True where all is well."""
        good = not self.wrong
        print(f'{self.lives} sessions, {len(self.wrong)} wrong, {self.late} left out for want of '
              'time')
        for field in samples.FIELDS[1:-2]:
            a_hour = samples.growth(self.rows, field)
            if a_hour is not None:
                print(f'  {field}: {self.rows[-1][field]}, {a_hour:+.1f} an hour')
        for field in samples.LEAKS:
            if after[field] > before[field]:
                print(f'  {field}: {before[field]} when all was quiet before, {after[field]} after')
                good = False
        return good


def parse():
    parser = argparse.ArgumentParser(prog='contrib/soak')
    parser.add_argument('daemon')
    parser.add_argument('--minutes', type=float, default=120)
    parser.add_argument('--rate', type=float, default=5, help='sessions a second')
    parser.add_argument('--workers', type=int, default=12, help='sessions at a time, at most')
    parser.add_argument('--shells', type=int, default=6)
    parser.add_argument('--parked', type=int, default=10, help='sessions with three readers each')
    parser.add_argument('--every', type=float, default=10, help='seconds between samples')
    parser.add_argument('--warm', type=float, default=20, help='seconds of load before all counts')
    parser.add_argument('--pool', default='4')
    parser.add_argument('--seed', default='')
    parser.add_argument('to', nargs='?', default='.', metavar='DIRECTORY')
    return parser.parse_intermixed_args()


def main():
    # So that what was mounted goes, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parse()
    os.makedirs(options.to, exist_ok=True)
    if os.geteuid() == 0:
        os.setgroups([])
    soak = Soak(options)
    print(f'seed {soak.seed}', flush=True)
    try:
        number = soak.go(options.warm, 0)
        before, first = soak.quiet()
        soak.begun, soak.rows = time.monotonic(), []
        soak.go(60 * options.minutes, number)
        after, last = soak.quiet()
        print(f'RSS when all was quiet: {first["rss_kib"]} KiB before, {last["rss_kib"]} after')
        if soak.rows:
            soak.keep()
        good = soak.report(before, after)
    finally:
        for what in soak.mount.finish():
            print(f'at the end: {what}')
            good = False
    print('all is well' if good else 'something is wrong')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
