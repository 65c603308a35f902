# SPDX-License-Identifier: MIT
"""What a program in a session with names sees: each line of its arguments is tried, and told of.

Each argument is ACTION,ARGUMENT,... and gives a line `ARGUMENT...: result`.
"""
import errno
import os
import select
import socket
import ssl
import struct
import sys
import time
import urllib.request

CONNECTIONS = 1024  # of a session's at a time
TIMEOUT = 20 * float(os.environ.get("FACTOR", "1"))
socket.setdefaulttimeout(TIMEOUT)


def connect(host, port):
    return socket.create_connection((host, int(port)))


def http(host, port="80", path="/hello"):
    with connect(host, port) as s:
        s.sendall(("GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" % (path, host)).encode())
        text = s.makefile("rb").read().decode()
        return text.split("\r\n\r\n", 1)[1].strip().replace("\n", " ")


def https(host, name=None):
    context = ssl.create_default_context(cafile="/srv/world/cert.pem")
    context.check_hostname = name is None
    with connect(host, 443) as plain, context.wrap_socket(plain, server_hostname=name or host) as s:
        s.sendall(("GET /hello HTTP/1.0\r\nHost: %s\r\n\r\n" % host).encode())
        return s.makefile("rb").read().decode().split("\r\n\r\n", 1)[1].strip()


def fetch(url):
    return urllib.request.urlopen(url).read().decode().strip()


def name(host):
    return " ".join(sorted({a[4][0].rsplit(".", 2)[0] for a in socket.getaddrinfo(host, 80)}))


def configured(host):
    """As getent(1), wget(1) and browsers ask: only for families of which there is an address."""
    flags = socket.AI_ADDRCONFIG | socket.AI_V4MAPPED
    found = {a[4][0] for f in (socket.AF_UNSPEC, socket.AF_INET) for a in socket.getaddrinfo(host, 80, f, flags=flags)}
    return " ".join(sorted({a.rsplit(".", 2)[0] for a in found}))


def udp(host, port, text="x"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect((host, int(port)))
        s.send(text.encode())
        return "answered %d" % len(s.recv(100))


def raw(family, kind, protocol):
    socket.socket(getattr(socket, family), getattr(socket, kind), int(protocol)).close()
    return "made"


def question(qname, kind, tcp=False):
    wire = b"".join(bytes([len(p)]) + p.encode() for p in qname.split(".")) + b"\0"
    message = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + wire + struct.pack(">HH", int(kind), 1)
    return exchange(message, tcp)


def exchange(message, tcp=False):
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as s:
        s.connect(("127.0.0.1", 53))
        s.sendall(struct.pack(">H", len(message)) + message if tcp else message)
        reply = s.recv(2000)
    if tcp:
        reply = reply[2:]
    return "code %d answers %d" % (reply[3] & 15, struct.unpack(">H", reply[6:8])[0])


def bytes_(*hexes):
    return exchange(bytes.fromhex("".join(hexes)))


def reverse(host):
    return socket.gethostbyaddr(socket.gethostbyname(host))[0]


def echo(host, size="300000"):
    data = os.urandom(int(size))
    with connect(host, 7) as s:
        s.settimeout(TIMEOUT)
        import threading
        threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))).start()
        got = s.makefile("rb").read()
    end = b"\n%d bytes\n" % len(data)
    return "same" if got == data + end else "other: %d" % len(got)


def reset(host):
    with connect(host, 9) as s:
        s.sendall(b"x")
        return "end" if s.recv(1) == b"" else "data"


def give_up(host):
    s = connect(host, 11)
    s.sendall(b"x")
    time.sleep(0.2)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    return "given up"


def twice(host):
    first = http(host)
    time.sleep(2.5)
    return first + ", then " + http(host)


def neighbour(host, step):
    """An address beside the one that was given."""
    address = struct.unpack(">I", socket.inet_aton(socket.gethostbyname(host)))[0]
    return http(socket.inet_ntoa(struct.pack(">I", address + int(step))))


def wait_until_made(sockets):
    """Or refused, or cut. The kernel tries again after a second where the queue was full."""
    until, poll = time.monotonic() + TIMEOUT, select.poll()
    left = {s.fileno() for s in sockets}
    for fd in left:
        poll.register(fd, select.POLLOUT)
    while left and time.monotonic() < until:
        for fd, _ in poll.poll(1000):
            left.discard(fd)
            poll.unregister(fd)


def open_some(host, count):
    made = []
    for _ in range(count):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((socket.gethostbyname(host), 11))
        made.append(s)
    wait_until_made(made)
    return made


def outcome(host):
    try:
        return http(host)
    except OSError as error:
        return errno.errorcode.get(error.errno)


def many(host, count):
    """
    Where a queue is full, the kernel may take a connection for made of which the relay never hears.
    So above what there may be, more are made until another one is cut.
    """
    count, until, held = int(count), time.monotonic() + TIMEOUT, []
    while len(held) < count:
        held += open_some(host, min(100, count - len(held)))
    then = outcome(host)
    while count > CONNECTIONS and then != "ECONNRESET" and time.monotonic() < until:
        held += open_some(host, 20)
        then = outcome(host)
        if len(held) > 2 * count:
            break
    for s in held:
        s.close()
    return "%d, then %s" % (count, then)


def again(host):
    """Once what was too much has gone."""
    for _ in range(100):
        try:
            return http(host)
        except OSError:
            time.sleep(0.1)


def flood(count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(int(count)):
        wire = b"\1a" + bytes([len(str(i))]) + str(i).encode() + b"\4wild\4test\0"
        try:
            s.sendto(struct.pack(">HHHHHH", i & 0xffff, 0x100, 1, 0, 0, 0) + wire + b"\0\1\0\1",
                     ("127.0.0.1", 53))
        except OSError:
            pass
    return "sent"


def listen(host, port):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, int(port)))
    s.listen()
    client = socket.create_connection((("127.0.0.1" if host == "0.0.0.0" else host), int(port)))
    s.accept()
    client.close()
    return "served"


def listeners(count, *hosts):
    """Beside those of the hosts: one after another, then as many as there may be."""
    kept = []
    for host in hosts:
        socket.gethostbyname(host)
    for _ in range(int(count)):
        with socket.socket() as s:
            s.listen()
    try:
        while len(kept) < 300:
            kept.append(socket.socket())
            kept[-1].listen()
    except OSError as error:
        return "%d, then %s" % (len(kept) - 1, errno.errorcode[error.errno])
    return "no bound"


def fast_open():
    socket.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 1)
    return "set"


def route(address):
    """To lead an address out, as ip(8) asks for it."""
    attribute = struct.pack("HH4sHHi", 8, 1, socket.inet_aton(address), 8, 4, 1)
    body = struct.pack("BBBBBBBBI", 2, 32, 0, 0, 255, 3, 254, 2, 0) + attribute
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("IHHII", 16 + len(body), 24, 0x405, 1, 0) + body)
        return errno.errorcode.get(-struct.unpack("i", s.recv(9999)[16:20])[0], "made")


def devices():
    return " ".join(sorted(l.split(":")[0].strip() for l in list(open("/proc/net/dev"))[2:]))


def environment():
    return " ".join(k for k in os.environ if "proxy" in k.lower()) or "none"


def sleep(seconds):
    time.sleep(float(seconds))
    return "slept"


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.02)
    return "there"


def hold(host, path):
    """A connection that is open until it is cut."""
    with connect(host, 11) as s:
        s.sendall(b"x")
        open(path, "w").close()
        s.settimeout(None)
        return "end" if s.recv(1) == b"" else "data"


def hammer(host, path):
    """Connects until that fails; when the last one began that was answered is in the file."""
    address = socket.gethostbyname(host)
    with open(path, "w") as hits:
        while True:
            begun = time.monotonic_ns()
            try:
                with connect(address, 7) as s:
                    s.sendall(b"x")
                    s.recv(1)
            except OSError as error:
                return errno.errorcode[error.errno]
            hits.seek(0)
            hits.write("%d\n" % begun)
            hits.flush()


ACTIONS = {k: v for k, v in globals().items() if callable(v)}


def main():
    for argument in sys.argv[1:]:
        action, *rest = argument.split(",")
        try:
            result = ACTIONS[action](*rest)
        except urllib.error.URLError as error:
            result = "url %s" % error.reason
        except ssl.SSLError as error:
            result = "tls %s" % error.reason
        except socket.gaierror as error:
            result = "no name" if error.errno == socket.EAI_NONAME else "gai %s" % error
        except socket.herror:
            result = "no name of it"
        except socket.timeout:
            result = "timeout"
        except OSError as error:
            result = errno.errorcode.get(error.errno, str(error))
        print("%s: %s" % (argument, result), flush=True)


main()
