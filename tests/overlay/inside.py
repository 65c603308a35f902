# SPDX-License-Identifier: MIT
"""In the session: changes /x at random, by a seed, and leaves a manifest of what came of it."""
import os
import pickle
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manifest import manifest  # noqa: E402

ROOT = '/x'
NAMES = ['a', 'b', 'c d', 'n\nl', '\u00e9', '\udcff', 'x' * 255, 'q', '.h', 'back\\slash', 'z1', 'z2']
MODES = [0o600, 0o644, 0o755, 0o444, 0, 0o1644]


def everything():
    files, directories = [], [ROOT]
    for directory, below, names in os.walk(ROOT):
        for name in below:
            path = os.path.join(directory, name)
            (files if os.path.islink(path) else directories).append(path)
        files += [os.path.join(directory, name) for name in names]
    return files, directories


def replace_tree(path, chance):
    shutil.rmtree(path)
    kind = chance.randrange(4)
    if kind == 0:
        open(path, 'w').write('was a directory')
    elif kind > 1:
        os.mkdir(path)
    if kind == 3:
        open(path + '/new', 'w').write('x')


def sparse(path, chance):
    with open(path, 'xb') as file:
        file.truncate(1 << 20)
        file.seek(chance.randrange(1 << 20))
        file.write(b'y')


def append(path, chance):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK)
    os.write(fd, chance.randbytes(chance.randrange(3000)))
    os.close(fd)


def step(chance):
    files, directories = everything()
    new = os.path.join(chance.choice(directories), chance.choice(NAMES))
    old = chance.choice(files or [new])
    directory = chance.choice(directories)
    plain = not os.path.islink(old)
    kind = chance.randrange(15)
    if kind == 0:
        append(new, chance)
    elif kind == 1:
        os.unlink(old)
    elif kind == 2 and directory != ROOT:
        replace_tree(directory, chance)
    elif kind == 3:
        os.mkdir(new)
    elif kind == 4:
        os.rename(old, new)
    elif kind == 5:
        os.link(old, new, follow_symlinks=False)
    elif kind == 6:
        os.symlink(chance.choice(['/etc/passwd', '../..', 'a', 'x' * 300]), new)
    elif kind == 7 and plain:
        os.chmod(old, chance.choice(MODES))
    elif kind == 8:
        os.chmod(directory, chance.choice([0o755, 0o700, 0o750, 0o1777]))
    elif kind == 9:
        os.mkfifo(new)
    elif kind == 10:
        sparse(new, chance)
    elif kind == 11:
        os.utime(old, (1, chance.randrange(1 << 30)), follow_symlinks=False)
    elif kind == 12 and plain:
        os.setxattr(chance.choice([old, directory, ROOT]), 'user.k%d' % chance.randrange(3),
                    chance.randbytes(5))
    elif kind == 13:
        os.unlink(old)
        os.mkdir(old)
        open(old + '/in', 'w').write('in')
    elif kind == 14:  # copied up, and not changed
        os.close(os.open(old, os.O_RDWR | os.O_NONBLOCK))


def main():
    chance = random.Random(int(sys.argv[1]))
    for _ in range(chance.randrange(1, 25)):
        try:
            step(chance)
        except OSError:
            pass
    with open('/workspace/manifest', 'wb') as file:
        pickle.dump(manifest(ROOT), file)


main()
