# SPDX-License-Identifier: MIT
"""Programs whose every byte is known: what they print, what they do with what is typed, how they end."""
import json


class Program:
    """
    lines: of the config. printed: what comes without anything typed. status: how it ends then, or
    None. typed: 'raw' gives back what is typed; 'echo' is a terminal's echo and the line again;
    'shell' an interactive shell; None: nothing may be typed. deadly: the status after a signal;
    those not named here end it. killed: the statuses that `kill` leads to.
    """

    def __init__(self, name, lines, printed='', errors='', status=None, typed=None, eof=None,
                 ignores=(), traps=(), killed=(-15,), hung=(-1,), terminal=True, timeout=0):
        self.name, self.lines = name, lines
        self.printed, self.errors = printed.encode(), errors.encode()
        self.status, self.typed, self.eof = status, typed, eof
        self.ignores, self.traps = set(ignores), dict(traps)
        self.killed, self.hung = set(killed), set(hung)
        self.terminal, self.timeout = terminal, timeout


def counting(lines, status):
    text = ''.join(f'line {i} of {lines}\r\n' for i in range(lines))
    return Program(f'count{lines}', [
        'command i=0; while [ $i -lt %d ]; do echo line $i of %d; i=$((i+1)); done; exit %d'
        % (lines, lines, status)], text, status=status)


def argv(*words):
    return 'argv ' + json.dumps(words)


SHORT = 120 * 10**6  # a timeout that comes soon, in nanoseconds
RAW = "stty raw -echo; echo ready; exec cat"
PIPE_HUNG = (0, 1, -1, -13)  # its input and output go, and a signal comes: in either order
ALL = [
    Program('printf', [argv('printf', 'abc\\n%s', 'x y')], 'abc\r\nx y', status=0),
    Program('exit3', ["command printf 'out\\n'; exit 3"], 'out\r\n', status=3),
    Program('true', [argv('true')], status=0),
    Program('exit255', ['command exit 255'], status=255),
    Program('self', ['command echo bye; kill -USR1 $$'], 'bye\r\n', status=-10),
    Program('abort', ['command kill -ABRT $$'], status=-6),
    counting(40, 7),
    counting(400, 0),
    Program('raw', [f'command {RAW}'], 'ready\n', typed='raw', hung=(-1, 0, 1)),
    Program('deaf', [f"command trap '' TERM HUP INT; {RAW}", 'kill-grace 20ms'], 'ready\n',
            typed='raw', ignores=('TERM', 'HUP', 'INT'), killed=(-9,), hung=(0, 1)),
    Program('echo', [argv('cat')], typed='echo', eof=0),
    Program('trap', ["command trap 'echo got; exit 9' TERM; echo ready; "
                     'while read x; do echo "<$x>"; done; exit 5'],
            'ready\r\n', typed='angle', eof=5, traps={'TERM': ('got\r\n', 9)}, killed=(9,)),
    Program('shell', [argv('/bin/sh'), 'kill-grace 20ms'], '$ ', typed='shell',
            ignores=('TERM',), killed=(-9,), hung=(-1, 0, 1, 2)),
    Program('pipe', [argv('cat'), 'terminal no'], typed='raw', eof=0, hung=PIPE_HUNG,
            terminal=False),
    Program('errors', ['command echo out; echo err >&2; exit 4', 'terminal no'], 'out\n', 'err\n',
            status=4, terminal=False),
    Program('late', [argv('cat'), 'terminal no', f'timeout {SHORT}ns'], typed='raw', eof=0,
            hung=PIPE_HUNG, terminal=False, timeout=SHORT / 1e9),
]
BY_NAME = {program.name: program for program in ALL}
# Cannot be started: the first line, and the errno's name.
BROKEN = {
    'absent': ([argv('/no/such/program')], 'ENOENT'),
    'nowhere': ([argv('true'), 'cwd /no/such/directory'], 'ENOENT'),
    'path': ([argv('true'), 'ro /no/such/file'], 'ENOENT'),
    'closed': ([argv('/etc/passwd')], 'EACCES'),
}


def find(config):
    """By what the config says: a program, or None."""
    first = f'command {config["command"]}' if config['command'] else argv(*config['argv'])
    short = config['timeout'] == SHORT
    for program in ALL:
        if program.lines[0] == first and program.terminal == (config['terminal'] == 'yes') and \
                bool(program.timeout) == short:
            return program
    return None
