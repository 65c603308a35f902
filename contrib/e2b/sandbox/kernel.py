# SPDX-License-Identifier: MIT
# A context of the code interpreter: runs pieces of Python, one a line of JSON on standard input, in
# one namespace, and tells of each in lines of JSON on standard output, the last of which is `end`.
import ast, asyncio, base64, builtins, codecs, io, json, os, re, signal, subprocess, sys, threading, traceback

events = os.dup(1)
lock = threading.Lock()
names = {'__name__': '__main__', '__builtins__': builtins}
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


def tell(**event):
    line = (json.dumps(event) + '\n').encode()
    with lock:
        while line:
            line = line[os.write(events, line):]


class Stream(io.TextIOBase):
    """What Python prints; what other programs print to the same descriptor comes by a pipe."""

    def __init__(self, kind, fd):
        # No text begins like it.
        self.kind, self.fd, self.end = kind, fd, b'\xff' + os.urandom(15)
        self.ended = threading.Event()
        self.line = ''
        read, write = os.pipe()
        os.dup2(write, fd)
        os.close(write)
        threading.Thread(target=self.follow, args=(read,), daemon=True).start()

    def follow(self, read):
        rest, decoder = b'', codecs.getincrementaldecoder('utf-8')('replace')
        while piece := os.read(read, 65536):
            text = rest + piece
            over = self.end in text
            text = text.replace(self.end, b'')
            # It may be an end that has come in part; behind a whole one there is none.
            parts = [] if over else range(min(15, len(text)), 0, -1)
            keep = next((n for n in parts if self.end.startswith(text[-n:])), 0)
            rest, text = text[len(text) - keep:], text[:len(text) - keep]
            if text:
                tell(type=self.kind, text=decoder.decode(text))
            if over:
                self.ended.set()

    def settle(self):
        self.flush()
        self.ended.clear()
        os.write(self.fd, self.end)
        self.ended.wait()

    def writable(self):
        return True

    def fileno(self):
        return self.fd

    def write(self, text):
        """A line at a time, as print() makes it of several pieces."""
        self.line += text
        if '\n' in text:
            self.flush()
        return len(text)

    def flush(self):
        line, self.line = self.line, ''
        if line:
            tell(type=self.kind, text=line)


TYPES = {'html': '_repr_html_', 'markdown': '_repr_markdown_', 'svg': '_repr_svg_', 'png': '_repr_png_',
         'jpeg': '_repr_jpeg_', 'latex': '_repr_latex_', 'json': '_repr_json_', 'javascript': '_repr_javascript_'}


def formats_of(value):
    formats = {'text': repr(value)}
    for kind, method in TYPES.items():
        try:
            made = getattr(value, method)() if not isinstance(value, type) else None
        except Exception:
            continue
        if isinstance(made, bytes):
            made = base64.b64encode(made).decode()
        if made is not None:
            formats[kind] = made
    return formats


def show(value, main=False):
    sys.stdout.flush()
    tell(type='result', is_main_result=main, **formats_of(value))


def show_figures():
    plots = sys.modules.get('matplotlib.pyplot')
    for number in plots.get_fignums() if plots else []:
        image = io.BytesIO()
        plots.figure(number).savefig(image, format='png')
        plots.close(number)
        tell(type='result', is_main_result=False, text='<Figure>', png=base64.b64encode(image.getvalue()).decode())


def shell(command):
    subprocess.run(command, shell=True, check=False)


builtins.display = lambda *values: [show(value) for value in values] and None
builtins.__shell__ = shell


def evaluate(tree, mode):
    code = compile(tree, '<cell>', mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = eval(code, names)
    return loop.run_until_complete(value) if code.co_flags & 0x80 else value


def run(code):
    code = re.sub(r'^!(.*)$', lambda line: f'__shell__({line[1]!r})', code, flags=re.M)
    tree = ast.parse(code, '<cell>')
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    if tree.body:
        evaluate(tree, 'exec')
    value = evaluate(ast.Expression(last.value), 'eval') if last else None
    if value is not None:
        names['_'] = value
        show(value, True)
    show_figures()


def cell(ask):
    before = dict(os.environ)
    os.environ.update(ask.get('envs') or {})
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run(ask['code'])
    except BaseException as error:
        at = error.__traceback__
        while at and at.tb_frame.f_code.co_filename != '<cell>':
            at = at.tb_next
        lines = traceback.format_exception(type(error), error, at)
        tell(type='error', name=type(error).__name__, value=str(error), traceback=''.join(lines))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it came too late
    os.environ.clear()
    os.environ.update(before)


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault('MPLBACKEND', 'Agg')
    sys.stdout, sys.stderr = Stream('stdout', 1), Stream('stderr', 2)
    asks = os.fdopen(os.dup(0), 'rb')
    os.dup2(os.open('/dev/null', os.O_RDONLY), 0)
    for count, line in enumerate(iter(asks.readline, b''), 1):
        cell(json.loads(line))
        sys.stdout.settle()
        sys.stderr.settle()
        tell(type='number_of_executions', execution_count=count)
        tell(type='end')


main()
