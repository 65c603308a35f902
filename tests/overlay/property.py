# SPDX-License-Identifier: MIT
"""
For each seed: a tree, and a session that changes it at random in an overlay. The tree stays as it
is; `changes` is the difference of two manifests; `apply` makes the tree what the session saw.

property.py MOUNT DIRECTORY FIRST LAST UID
"""
import glob
import os
import pickle
import random
import shutil
import stat
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from manifest import manifest  # noqa: E402

MOUNT, DIRECTORY = sys.argv[1:3]
FIRST, LAST, UID = map(int, sys.argv[3:6])
TREE = DIRECTORY + '/tree'
NAMES = ['a', 'b', 'c', 'n\nl', '\u00e9', 'f1', 'f2', '.h', 'sub']
wrong = 0


def complain(seed, what, *more):
    global wrong
    wrong += 1
    print('seed', seed, 'uid', UID, what, *more, sep='\n  ')


def as_user(function):
    """In a process of that user's: what the function returns, or the error as text."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
        try:
            value = function()
        except OSError as error:
            value = repr(error)
        with open(write, 'wb') as file:
            pickle.dump(value, file)
        os._exit(0)
    os.close(write)
    with open(read, 'rb') as file:
        value = pickle.load(file)
    os.waitpid(pid, 0)
    return value


def make_tree(seed):
    chance = random.Random(seed * 7)
    shutil.rmtree(TREE, ignore_errors=True)
    os.mkdir(TREE)
    directories, files = [TREE], []
    for _ in range(chance.randrange(3, 30)):
        path = chance.choice(directories) + '/' + chance.choice(NAMES)
        kind = chance.randrange(6)
        if os.path.lexists(path):
            continue
        if kind < 2:
            os.mkdir(path)
            directories.append(path)
            os.chmod(path, chance.choice([0o755, 0o700, 0o2755]))
        elif kind == 2 and files:
            os.link(chance.choice(files), path)
        elif kind == 3:
            os.symlink(chance.choice(['/etc', '..', 'a']), path)
        else:
            with open(path, 'wb') as file:
                file.write(chance.randbytes(chance.randrange(5000)))
                file.truncate(chance.choice([1 << 19, 100]))
            files.append(path)
            os.chmod(path, chance.choice([0o644, 0o600, 0o400, 0o755]))
            if chance.random() < .3:
                os.setxattr(path, 'user.k0', b'v')
    for directory, _, names in os.walk(TREE):
        os.chown(directory, UID, UID)
        for name in names:
            os.lchown(directory + '/' + name, UID, UID)
    for directory in directories:
        os.utime(directory, (1, chance.randrange(1 << 30)))


def escape(path):
    inside = b'/x' + (b'/' + path if path else b'')
    return b''.join(b'\\%03o' % byte if byte <= 32 or byte in (127, 92) else bytes([byte])
                    for byte in inside)


def kind_of(before, after):
    """None: the same. The times of directories follow from what is in them."""
    if before is None or after is None:
        return b'A' if before is None else b'D'
    if before[0] != after[0]:
        return b'T'
    if stat.S_ISDIR(before[0]):
        before, after = before[:2] + before[3:], after[:2] + after[3:]
    return b'M' if before != after else None


def difference(before, after):
    lines = []
    for path in sorted((before.keys() | after.keys()) - {'links'}, key=lambda path: b'/' + path):
        kind = kind_of(before.get(path), after.get(path))
        if kind:
            lines.append(kind + b' ' + escape(path))
    return lines


def linked(before, inside, upper):
    """
    What is one file: by the upper layer, and by the host if it was not changed. overlayfs does not
    tell of the host's links, nor of a link to what was open before.
    """
    changed = {path for path in before.keys() | inside.keys()
               if path != 'links' and before.get(path) != inside.get(path)}
    groups = [set(group) for group in inside['links'] + upper['links']]
    groups += [group - changed for group in before['links']]
    merged = []
    for group in groups:
        for other in [other for other in merged if other & group]:
            group |= other
            merged.remove(other)
        merged.append(group)
    return sorted(sorted(group) for group in merged if len(group) > 1)


def session(name, seed):
    os.mkdir(f'{MOUNT}/{name}')
    with open(f'{MOUNT}/{name}/config', 'w') as config:
        config.write(f'overlay {TREE}:/x\nro {HERE}:/srv/tool\nterminal no\ntimeout 60s\n'
                     f'argv ["/usr/bin/python3","/srv/tool/inside.py","{seed}"]\n')
    with open(f'{MOUNT}/{name}/ctl', 'w') as ctl:
        ctl.write('start\n')
    code = open(f'{MOUNT}/{name}/exit').read().strip()
    if code != '0':
        raise OSError(code + open(f'{MOUNT}/{name}/stderr').read())
    return open(f'{MOUNT}/{name}/changes', 'rb').read().split(b'\n')[:-1]


def apply(name):
    with open(f'{MOUNT}/{name}/ctl', 'w') as ctl:
        ctl.write('apply\n')
    return open(f'{MOUNT}/{name}/changes', 'rb').read()


def check(seed):
    name = f'p{seed}'
    make_tree(seed)
    before = manifest(TREE)
    changes = as_user(lambda: session(name, seed))
    if isinstance(changes, str):
        return complain(seed, changes, open(f'{MOUNT}/{name}/log').read())
    if manifest(TREE) != before:
        complain(seed, 'the tree has changed')
    workspace = os.readlink(f'{MOUNT}/{name}/workspace')
    with open(workspace + '/manifest', 'rb') as file:
        inside = pickle.load(file)
    if changes != difference(before, inside):
        complain(seed, 'changes', changes, difference(before, inside))
    upper = manifest(glob.glob(workspace + '.changes/0/upper')[0])
    left = as_user(lambda: apply(name))
    if left != b'':
        complain(seed, 'apply', left, open(f'{MOUNT}/{name}/log').read())
    after = manifest(TREE)
    inside['links'] = linked(before, inside, {'links': [
        group for group in upper['links']
        if upper[next(iter(group))][0] != stat.S_IFCHR]})
    after['links'] = sorted(sorted(group) for group in after['links'])
    for path in sorted(after.keys() | inside.keys(), key=str):
        if after.get(path) != inside.get(path):
            complain(seed, 'applied', path, after.get(path), inside.get(path), before.get(path))
    os.rmdir(f'{MOUNT}/{name}')


for number in range(FIRST, LAST):
    check(number)
sys.exit(wrong != 0)
