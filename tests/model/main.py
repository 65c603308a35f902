# SPDX-License-Identifier: MIT
"""
main.py MIMOBOXFS [--steps N] [--seed N] [--jobs N] [--replay FILE]: random operations on a real
mount, each answer compared with what the model says. See contrib/model.

Each job has its own sessions, users and clients, all on one mount. Where an answer is wrong, what
was done is shortened, as long as it still goes wrong, and printed.
"""
import argparse
import json
import os
import random
import select
import signal
import sys
import time
import traceback

import choose
import client as clients
import files
import mount as mounts
from shrink import shrink
from world import Mismatch

CLIENTS = 6
FIRST_USER = 23600


def users(job, serves_all):
    """Root and two others, of each job its own: what `stats` shows them is theirs alone."""
    if not serves_all:
        return [os.geteuid()] * 3
    return [0, FIRST_USER + 2 * job, FIRST_USER + 2 * job + 1]


def make_world(path, job):
    clients.prepare()
    serves_all = os.geteuid() == 0
    return files.World(path, f'j{job}-', users(job, serves_all), serves_all)


def run(path, job, operations, tell=lambda done: None):
    """
    Does all of them: None, or what went wrong; how many were done, and made sense; and how often
    all stood still, and sessions were begun anew.
    """
    world = make_world(path, job)
    done = sensible = pauses = 0
    try:
        for operation in operations:
            done += 1
            try:
                sensible += bool(world.do(operation))
            except clients.Paused:
                pauses += 1
                world.abandon()
                world = make_world(path, job)
            if done % 1000 == 0:
                tell(done)
        world.finish()
        return None, done, sensible, pauses
    except Mismatch as wrong:
        return str(wrong), done, sensible, pauses
    except Exception:  # an answer of a kind that nobody thought of
        return traceback.format_exc(), done, sensible, pauses


def generated(job, seed, steps):
    chooser = choose.Chooser(random.Random(f'{seed}/{job}'), CLIENTS)
    return (chooser.next() for _ in range(steps))


def in_child(function, *arguments):
    """(pid, pipe): it writes what the function returns, as JSON lines, and what it tells."""
    get, put = os.pipe()
    pid = os.fork()
    if pid:
        os.close(put)
        return pid, os.fdopen(get, 'rb')
    try:
        os.close(get)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        clients.LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        with os.fdopen(put, 'w') as to:
            def tell(what):
                to.write(json.dumps(what) + '\n')
                to.flush()
            tell(list(function(*arguments, tell)))
    except BaseException:
        traceback.print_exc()
    os._exit(0)


def clear(mount):
    """What a run left, which ended in the midst of it."""
    clients.act_as(0)
    mount.again()
    for name in os.listdir(mount.path):
        if os.path.isdir(f'{mount.path}/{name}'):
            os.rmdir(f'{mount.path}/{name}')


def attempt(mount, job, operations, seconds=60 * mounts.FACTOR):
    """A run of its own of these: what went wrong, or None."""
    clear(mount)
    pid, pipe = in_child(run, mount.path, job, operations)
    result = None
    until = time.monotonic() + seconds
    with pipe:
        while time.monotonic() < until:
            if select.select([pipe], [], [], 1)[0]:
                line = pipe.readline()
                result = json.loads(line) if line else result
                if not line or isinstance(result, list):
                    break
        else:
            os.kill(pid, signal.SIGKILL)
            result = [f'no end in {seconds} s', 0, 0, 0]
    os.waitpid(pid, 0)
    wrong = result[0] if isinstance(result, list) else 'the run has crashed'
    if not mount.lives():
        wrong = f'the daemon has died: {mount.said()[-2000:]}'
    return wrong


class Jobs:
    """All jobs of a run, at the same time."""

    def __init__(self, mount, options):
        self.running = {}
        self.options, self.mount = options, mount
        self.done = {}
        self.sensible = self.pauses = 0
        self.begun = time.monotonic()
        share = -(-options.steps // options.jobs)
        for job in range(options.jobs):
            pid, pipe = in_child(self.one, job, share)
            self.running[pipe] = (pid, job)

    def one(self, job, share, tell):
        return run(self.mount.path, job, generated(job, self.options.seed, share), tell)

    def wait(self):
        """(what went wrong, the job, after how many steps), or None when all have ended."""
        shown = time.monotonic()
        wrong = None
        while self.running and not wrong:
            for pipe in select.select(list(self.running), [], [], 1)[0]:
                wrong = wrong or self.hear(pipe)
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                self.show()
        for pipe, (pid, _) in self.running.items():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            pipe.close()
        return wrong

    def hear(self, pipe):
        pid, job = self.running[pipe]
        line = pipe.readline()
        result = json.loads(line) if line else ['the job has crashed', self.done.get(job, 0), 0, 0]
        if isinstance(result, int):
            self.done[job] = result
            return None
        os.waitpid(pid, 0)
        pipe.close()
        del self.running[pipe]
        wrong, self.done[job], sensible, pauses = result
        self.sensible += sensible
        self.pauses += pauses
        return (wrong, job, self.done[job]) if wrong else None

    def show(self):
        done = sum(self.done.values())
        print(f'{done} steps, {done / (time.monotonic() - self.begun):.0f} a second',
              file=sys.stderr)


def report(mount, wrong, job, steps, options):
    """Shortens what led to it, and prints that."""
    print(f'job {job}, step {steps}: {wrong}')
    operations = list(generated(job, options.seed, steps))  # up to where it went wrong
    short, why = shrink(operations, lambda some: attempt(mount, job, some), options.shrink)
    if not short:
        print('It does not happen when the job is alone. All that was done:')
        short, why = operations[-400:], wrong
    print(f'After {len(short)} operations: {why}')
    name = options.keep or f'model-{options.seed}-{job}.ops'
    with open(name, 'w', encoding='utf-8') as to:
        to.write(f'# job {job}\n')
        to.writelines(json.dumps(operation) + '\n' for operation in short)
    for operation in short[:60]:
        print('  ', json.dumps(operation)[:160])
    print(f'contrib/model --replay {name}')


def replay(mount, name):
    with open(name, encoding='utf-8') as file:
        head, *lines = file.read().splitlines()
    wrong = attempt(mount, int(head.split()[-1]), [json.loads(line) for line in lines], 600)
    print(wrong or 'nothing is wrong')
    return wrong is not None


def parse():
    parser = argparse.ArgumentParser(prog='contrib/model')
    parser.add_argument('daemon')
    parser.add_argument('--steps', type=int, default=100000)
    parser.add_argument('--seed', default='')
    parser.add_argument('--jobs', type=int, default=4)
    parser.add_argument('--pool', default='4')
    parser.add_argument('--replay')
    parser.add_argument('--keep', help='the file that a short list of operations is written to')
    parser.add_argument('--shrink', type=float, default=120, help='seconds to shorten it for')
    return parser.parse_args()


def main():
    # So that what was mounted goes, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parse()
    options.seed = options.seed or str(random.SystemRandom().randrange(1 << 32))
    mount = mounts.Mount(options.daemon, ['--pool', options.pool])
    bad = False
    try:
        if options.replay:
            bad = replay(mount, options.replay)
        else:
            print(f'seed {options.seed}', flush=True)
            jobs = Jobs(mount, options)
            wrong = jobs.wait()
            if wrong:
                bad = True
                report(mount, *wrong, options)
            else:
                seconds = time.monotonic() - jobs.begun
                done = sum(jobs.done.values())
                print(f'{done} steps, {jobs.sensible} of them applicable, in {seconds:.1f} s: '
                      f'{done / seconds:.0f} a second; no mismatch')
                if jobs.pauses:
                    print(f'{jobs.pauses} times a job stood still, and began anew')
    finally:
        for what in mount.finish():
            print(f'at the end: {what}')
            bad = True
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
