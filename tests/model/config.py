# SPDX-License-Identifier: MIT
"""The config as its documentation has it: what a line means, and which errno it gets."""
import errno
import json
import re
from fractions import Fraction

SIZES = {'': 1, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}
TIMES = {'ns': 1, 'us': 10**3, 'ms': 10**6, 's': 10**9, 'm': 60 * 10**9, 'h': 3600 * 10**9,
         'd': 86400 * 10**9}
ENVIRONMENT = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
               'HOME': '/home/sandbox', 'TERM': 'xterm-256color', 'USER': 'sandbox', 'LOGNAME': 'sandbox',
               'SHELL': '/bin/sh', 'LANG': 'C.UTF-8', 'TMPDIR': '/home/sandbox/tmp', 'PWD': '/tmp'}
KEPT = ('LD_', 'DYLD_')


class Bad(Exception):
    def __init__(self, number=errno.EINVAL):
        super().__init__(errno.errorcode[number])
        self.number = number


def scaled(text, units):
    found = re.fullmatch(r'([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)', text)
    if not found or found[2] not in units:
        raise Bad()
    return int(Fraction(found[1]) * units[found[2]])


def size(text):
    return scaled(text, SIZES)


def duration(text):
    return 0 if text == '0' else scaled(text, TIMES)


def cores(text):
    return scaled(text, {'': 1000})


def count(text):
    if not re.fullmatch('[0-9]+', text):
        raise Bad()
    return int(text)


def version(text):
    return text if text in ('none', 'auto') else bounded(count, 1, 6)(text)


def bounded(parse, low, high=None, none=False):
    def take(text):
        if none and text == 'none':
            return 'none'
        value = parse(text)
        if value < low or (high is not None and value > high):
            raise Bad(errno.ERANGE)
        return value
    return take


def word(*words):
    def take(text):
        if text not in words:
            raise Bad()
        return text
    return take


def vector(text):
    try:
        value = json.loads(text)
    except ValueError:
        raise Bad() from None
    if not isinstance(value, list) or not value or not all(isinstance(x, str) for x in value):
        raise Bad()
    return value


def path(text):
    if not text.startswith('/'):
        raise Bad()
    return text


def network(text):
    if text in ('none', 'names', 'host'):
        return text
    if not text.startswith('tcp '):
        raise Bad()
    return ports(text[4:], 64)


def published(text):
    return [] if text == 'none' else list(dict.fromkeys(ports(text, 32)))


def ports(text, most):
    if not re.fullmatch('[0-9]+(,[0-9]+)*', text):
        raise Bad()
    numbers = [int(port) for port in text.split(',')]
    if len(numbers) > most or not all(1 <= port <= 65535 for port in numbers):
        raise Bad(errno.ERANGE)
    return numbers


def host(text, deny):
    """(host, ports), of the names that are tried here."""
    match = re.fullmatch(r'(\*|(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([0-9,]+))?', text.lower())
    if not match or (deny and match[2]) or re.fullmatch('[0-9.]+', match[1]):
        raise Bad()
    try:
        return match[1], [] if deny else ports(match[2] or '80,443', 16)
    except Bad:
        raise Bad() from None


NUMBERS = {
    'timeout': bounded(duration, 1, None, True),
    'idle-timeout': bounded(duration, 1, None, True), 'kill-grace': bounded(duration, 0, TIMES['h']),
    'memory': bounded(size, 1 << 20, None, True), 'processes': bounded(count, 1, None, True),
    'cpu': bounded(cores, 10, None, True), 'open-files': bounded(count, 8, 1048576),
    'file-size': bounded(size, 0, None, True), 'tmp-size': bounded(size, 65536),
    'disk': bounded(size, 65536, None, True), 'home': bounded(size, 0, None, True),
    'terminals': bounded(count, 1, 4096),
    'retain': bounded(size, 65536), 'overflow': word('wait', 'drop'), 'network': network,
    'publish': published, 'network-ask': bounded(duration, TIMES['ms'], 24 * TIMES['h'], True),
    'seccomp': word('strict', 'essential', 'network', 'compat'), 'fork': word('yes', 'no'), 'ptrace': word('yes', 'no'),
    'landlock': version, 'terminal': word('yes', 'no'), 'ends': word('command', 'last-process'),
    'replies': word('auto', 'always', 'never'),
    'cwd': path,
}


def defaults():
    config = {key: NUMBERS[key](value) for key, value in (
        ('timeout', 'none'), ('idle-timeout', 'none'), ('kill-grace', '150ms'), ('memory', '512M'), ('processes', '128'),
        ('cpu', '1'), ('open-files', '1024'), ('file-size', 'none'), ('tmp-size', '64M'),
        ('disk', 'none'), ('home', '0'),
        ('terminals', '8'), ('retain', '64M'), ('overflow', 'wait'), ('network', 'none'), ('publish', 'none'),
        ('network-ask', 'none'), ('seccomp', 'essential'),
        ('fork', 'yes'), ('ptrace', 'no'), ('landlock', 'auto'), ('terminal', 'yes'), ('ends', 'command'),
        ('cwd', '/tmp'), ('replies', 'auto'))}
    config.update(command=None, argv=['/bin/sh'], env=dict(ENVIRONMENT), ro=[], rw=[], allow={}, deny={})
    return config


def copied(config):
    return {key: value.copy() if isinstance(value, (dict, list)) else value
            for key, value in config.items()}


def take_line(config, line):
    """One line over `config`; Bad where it is refused."""
    line = line.lstrip(' \t').rstrip('\r')
    if not line or line.startswith('#'):
        return
    key, _, value = line.partition(' ')
    if key not in ('command', 'env'):
        value = value.rstrip(' \t')
    if key == 'reset' and not value:
        config.update(defaults())
    elif key == 'reset' or not value:
        raise Bad()
    elif key == 'command':
        config['command'] = value
    elif key == 'argv':
        config['argv'], config['command'] = vector(value), None
    elif key == 'env':
        name, equals, text = value.partition('=')
        if not equals or not re.fullmatch('[A-Za-z_][A-Za-z0-9_]*', name) or \
                name.startswith(KEPT) or name in ('ENV', 'BASH_ENV'):
            raise Bad()
        config['env'][name] = text
    elif key in ('ro', 'rw'):
        if path(value) not in config[key]:
            config[key].append(value)
    elif key in ('allow', 'deny'):
        name, numbers = host(value, key == 'deny')
        config[key][name] = numbers
    elif key in NUMBERS:
        config[key] = NUMBERS[key](value)
    else:
        raise Bad()


def take_text(config, text):
    """(bytes taken, None or the errno of the line after them, the number of that line)."""
    taken, number = 0, 0
    for line in text.split('\n'):
        number += 1
        if taken >= len(text):
            break
        try:
            take_line(config, line)
        except Bad as bad:
            return taken, bad.number, number
        taken += len(line) + 1
    return len(text), None, number


def read_back(text):
    """What `config` shows, as a config; `command` and `argv` are one or the other."""
    config = dict(command=None, argv=None, env={}, ro=[], rw=[], allow={}, deny={})
    first, *lines = text.splitlines()
    if first != 'reset':
        raise Bad()
    for line in lines:
        if line.split(' ')[0] in config and config[line.split(' ')[0]] not in (None, {}, []) and \
                not line.startswith(('env ', 'ro ', 'rw ', 'allow ', 'deny ')):
            raise Bad()
        take_line(config, line)
    return config


def shown(config):
    """As read_back() has it."""
    config = copied(config)
    if config['command']:
        config['argv'] = None
    config['env']['PWD'] = config['cwd']
    if config['network'] != 'none' and config['seccomp'] in ('strict', 'essential'):
        config['seccomp'] = 'network'
    return config


GOOD = ['timeout none', 'idle-timeout 1h', 'idle-timeout none', 'timeout 2h', 'kill-grace 30ms', 'kill-grace 0.05s', 'memory 300M',
        'memory 0.5G', 'memory none', 'memory 262144K', 'processes 64', 'processes none',
        'cpu 0.5', 'cpu 2', 'cpu none', 'open-files 256', 'open-files 64', 'file-size 10M',
        'file-size none', 'tmp-size 8M', 'tmp-size 1.5M', 'home 0', 'home 1M', 'terminals 1', 'terminals 16', 'retain 1M', 'retain 65536',
        'overflow drop', 'overflow wait', 'replies never', 'replies always', 'replies auto',
         'seccomp compat', 'seccomp essential', 'seccomp strict', 'landlock 5',
        'landlock none', 'landlock 6', 'landlock auto', 'env A=1', 'env A=2 3', 'env B=',
        'env TERM=dumb', 'cwd /', 'cwd /tmp', 'ends last-process', 'ends command', 'ro /usr/share', '# a comment',
        '', '   ', '  cpu 1  ', 'memory 300M\r', 'env D= x \r', 'network none', 'network tcp 80,443', 'env C=a=b',
        'network names', 'allow Github.com:22,443', 'allow *.example.org', 'allow github.com', 'deny x.example.org',
        'publish 8080,80,8080', 'publish none', 'network-ask 5s', 'network-ask none']
WRONG = ['memroy 512M', 'memory', 'memory 1X', 'memory -1', 'memory 512K', 'processes 0',
         'processes x', 'cpu 0.001', 'cpu two', 'open-files 7', 'open-files 1048577',
         'open-files none', 'tmp-size 1K', 'home x', 'terminals 0', 'terminals 4097', 'terminals none', 'retain 65535', 'retain none', 'overflow maybe', 'replies yes',
         'seccomp none', 'landlock 7', 'landlock 0', 'landlock AUTO', 'env LD_PRELOAD=/x', 'env A',
         'env =x',
         'env BASH_ENV=/x', 'cwd tmp', 'ends never', 'terminal maybe', 'fork 1',
         'kill-grace 2h', 'kill-grace none', 'timeout 5', 'timeout 5x', 'idle-timeout 0', 'idle-timeout x', 'reset all', 'argv []',
         'argv ["a"', 'argv [1]', 'argv {}', 'ro usr', 'network udp 5', 'network tcp 0',
         'network tcp 65536', 'allow a/b', 'allow a:0', 'deny a:80', 'publish x', 'publish 0', 'network-ask 25h', 'start', 'NETWORK none']
