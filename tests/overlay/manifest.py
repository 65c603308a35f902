# SPDX-License-Identifier: MIT
"""All that can be told of a tree: types, modes, times, contents, links, attributes."""
import hashlib
import os
import stat


def open_to(path, mode, read):
    """What its owner has closed to itself is opened for the moment."""
    closed = os.geteuid() != 0 and stat.S_ISREG(mode) and not mode & 0o400
    if closed:
        os.chmod(path, stat.S_IMODE(mode) | 0o400)
    try:
        return read()
    finally:
        if closed:
            os.chmod(path, stat.S_IMODE(mode))


def attributes(path):
    names = [name for name in os.listxattr(path)
             if name.startswith('user.') and not name.startswith('user.overlay.')]
    return sorted((name, os.getxattr(path, name)) for name in names)


def content(path):
    with open(path, 'rb') as file:
        return hashlib.sha1(file.read()).hexdigest()


def fact(path, status):
    mode = status.st_mode
    facts = [stat.S_IFMT(mode), stat.S_IMODE(mode), status.st_mtime_ns]
    if stat.S_ISREG(mode):
        facts += [status.st_size]
        facts += open_to(path, mode, lambda: [content(path), attributes(path)])
    elif stat.S_ISDIR(mode):
        facts += [attributes(path)]
    elif stat.S_ISLNK(mode):
        facts += [os.readlink(path)]
    return facts


def manifest(root):
    """By path (bytes, b'' is the root): facts; and at 'links' which paths are one file."""
    facts, links = {}, {}

    def add(path, name):
        status = os.lstat(path)
        facts[name] = fact(path, status)
        if stat.S_ISDIR(status.st_mode):
            for entry in sorted(os.listdir(path)):
                add(path + b'/' + entry, name + b'/' + entry if name else entry)
        elif status.st_nlink > 1:
            links.setdefault((status.st_dev, status.st_ino), set()).add(name)

    add(os.fsencode(root), b'')
    facts['links'] = [names for names in links.values() if len(names) > 1]
    return facts
