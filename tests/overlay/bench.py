# SPDX-License-Identifier: MIT
"""
What an overlay costs: find and git status over many files, and a build, in a session that has the
directory by `overlay`, and in one that has it by `rw`, in turn. A line each: the name, the median
of the first over that of the second, and both in milliseconds.

bench.py MIMOBOXFS [FILES]. By root.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

MIMOBOXFS = sys.argv[1]
FILES = int(sys.argv[2]) if len(sys.argv) > 2 else 50000
ROUNDS = 5
USER = 65534
WORKS = {
    'find': 'find /x -type f | wc -l',
    'git-status': 'git -C /x status --short',
    'build': 'cd /x/build && make -s clean && make -s -j2',
    'rewrite': 'cd /x/d0 && for i in $(seq 0 99); do echo b > f$i; done',
}
# Each is done twice, and the second is timed: the first brings everything into memory, and copies up.
TIMED = ("import subprocess,time\nfor i in range(2):\n t=time.monotonic()\n "
         "subprocess.run(['sh','-c',%r],check=True,stdout=subprocess.DEVNULL)\n"
         " print(time.monotonic()-t)\n")


def as_user(function):
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        try:
            function()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def make_tree(tree):
    for number in range(FILES // 100):
        os.makedirs(f'{tree}/d{number}')
        for file in range(100):
            with open(f'{tree}/d{number}/f{file}', 'w') as to:
                to.write('a')
    os.makedirs(f'{tree}/build')
    for number in range(20):
        with open(f'{tree}/build/m{number}.c', 'w') as to:
            to.write('#include <stdio.h>\n#include <stdlib.h>\n' +
                     f'int f{number}(void) {{ return puts("x"); }}\n')
    with open(f'{tree}/build/Makefile', 'w') as to:
        to.write('all: $(patsubst %.c,%.o,$(wildcard *.c))\nclean:\n\trm -f *.o\n')
    subprocess.run('git init -q . && git add -A && git -c user.name=n -c user.email=e commit -qm 1',
                   shell=True, cwd=tree, check=True, env=os.environ | {'HOME': '/nonexistent'})


def time_of(mount, tree, kind, work):
    with open(f'{mount}/b/config', 'w') as config:
        script = TIMED % work
        text = script.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
        config.write(f'{kind} {tree}:/x\nterminal no\nmemory 2G\nprocesses 512\ncpu 2\n'
                     f'argv ["/usr/bin/python3","-c","{text}"]\n')
    with open(f'{mount}/b/ctl', 'w') as ctl:
        ctl.write('start\n')
    output = open(f'{mount}/b/output').read()
    return float(output.split()[-1])


def main():
    directory = tempfile.mkdtemp(prefix='mimobox-bench-', dir='/var/tmp')
    os.chmod(directory, 0o755)
    mount, tree, times = directory + '/m', directory + '/tree', directory + '/times'
    os.mkdir(mount)
    os.mkdir(tree)
    os.chown(tree, USER, USER)
    open(times, 'w').close()
    os.chown(times, USER, USER)
    as_user(lambda: make_tree(tree))
    subprocess.run([MIMOBOXFS, '--workspaces', directory + '/w', '--spool', directory, mount],
                   check=True)

    def measure():
        with open(times, 'a') as to:
            for name, work in WORKS.items():
                for _ in range(ROUNDS):
                    for kind in ('rw', 'overlay'):
                        os.mkdir(f'{mount}/b')
                        to.write(f'{name} {kind} {time_of(mount, tree, kind, work)}\n')
                        os.rmdir(f'{mount}/b')

    try:
        as_user(measure)
        rows = [line.split() for line in open(times)]
        for name in WORKS:
            plain, over = (statistics.median(float(row[2]) for row in rows if row[:2] == [name, kind])
                           for kind in ('rw', 'overlay'))
            print(f'overlay {name} {over / plain:.2f} ({over * 1000:.0f} and {plain * 1000:.0f} ms)')
    finally:
        subprocess.run(['umount', mount])
        shutil.rmtree(directory)


main()
