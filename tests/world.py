# SPDX-License-Identifier: MIT
"""What is outside in a network of a test's own: DNS, web servers, and what must not be reached.

world.py DIRECTORY: serves until its input ends; prints a line when it listens everywhere. What was
touched that must not be is written to DIRECTORY/touched, one line each; each name that was asked for
to DIRECTORY/asked.
"""
import http.server
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

HERE = sys.argv[1]
DNS, GOOD, EVIL, NOBODY, SIX = "93.184.0.1", "93.184.0.10", "93.184.0.20", "93.184.0.99", "2606:2800::10"
lock = threading.Lock()
asked = {}


def note(file, line):
    with lock, open(os.path.join(HERE, file), "a") as to:
        to.write(line + "\n")


# name: a list of what it is at, the first of these each time it is asked; the last one stays
ZONE = {
    "good.test": [[GOOD]], "also-good.test": [[GOOD]], "evil.test": [[EVIL]],
    "cname.test": [["good.test"]], "ring.test": [["ring2.test"]], "ring2.test": [["ring.test"]],
    "out.test": [["private.test"]], "private.test": [["10.0.0.5"]], "meta.test": [["169.254.169.254"]],
    "loop.test": [["127.0.0.1"]], "zero.test": [["0.0.0.0"]], "mapped.test": [["::ffff:127.0.0.1"]],
    "six-loop.test": [["::1"]], "nat64.test": [["64:ff9b::7f00:1"]],
    "mixed.test": [["10.0.0.5", GOOD]], "two.test": [[NOBODY, GOOD]], "dead.test": [[NOBODY]],
    "v6.test": [[SIX]], "both.test": [[SIX, GOOD]], "empty.test": [[]],
    # The first is for both questions of the first look-up.
    "rebind.test": [[GOOD], [GOOD], ["127.0.0.1"]],
    "x.wild.test": [[GOOD]], "y.x.wild.test": [[GOOD]],
    "big.test": [[GOOD]], "corp.test": [["10.0.0.5"]],
}


def name_bytes(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def record(name, kind, data, seconds):
    return name_bytes(name) + struct.pack(">HHIH", kind, 1, seconds, len(data)) + data


def records(name, kind, depth=0):
    with lock:
        steps = ZONE.get(name)
        at = min(asked.get(name, 0), len(steps) - 1) if steps else 0
        if steps:
            asked[name] = asked.get(name, 0) + 1
    if steps is None:
        return None
    seconds = 0 if name == "rebind.test" else 60
    out = []
    for value in steps[at]:
        if value[-1].isalpha() and ":" not in value:
            out.append(record(name, 5, name_bytes(value), seconds))
            out += records(value, kind, depth + 1) or [] if depth < 4 else []
        elif ":" in value and kind == 28:
            out.append(record(name, 28, socket.inet_pton(socket.AF_INET6, value), seconds))
        elif ":" not in value and kind == 1:
            out.append(record(name, 1, socket.inet_aton(value), seconds))
    return out


def answer(message, tcp):
    number, flags = struct.unpack(">HH", message[:4])
    at, parts = 12, []
    while message[at]:
        parts.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    kind = struct.unpack(">H", message[at + 1:at + 3])[0]
    name = ".".join(parts)
    note("asked", name)
    if name == "silent.test":
        return b""
    if name == "fail.test":
        return struct.pack(">HHHHHH", number, 0x8182, 1, 0, 0, 0) + message[12:at + 5]
    if name == "big.test" and not tcp:
        return struct.pack(">HHHHHH", number, 0x8380, 1, 0, 0, 0) + message[12:at + 5]
    found = records(name, kind)
    head = struct.pack(">HHHHHH", number, 0x8183 if found is None else 0x8180, 1, len(found or []), 0, 0)
    return head + message[12:at + 5] + b"".join(found or [])


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        reply = answer(self.request[0], False)
        if reply:
            self.request[1].sendto(reply, self.client_address)


class Stream(socketserver.BaseRequestHandler):
    def handle(self):
        size = struct.unpack(">H", self.request.recv(2))[0]
        reply = answer(self.request.recv(size), True)
        self.request.sendall(struct.pack(">H", len(reply)) + reply)


class Web(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *rest):
        super().__init__(*rest, directory=os.path.join(HERE, "www"))

    def do_GET(self):
        if self.path == "/to-evil":
            self.send_response(302)
            self.send_header("Location", "http://evil.test/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path in ("/", "/hello"):
            text = ("hello at %s\n" % self.headers.get("Host")).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("X-Secret", self.headers.get("X-Secret", "none"))
            self.end_headers()
            self.wfile.write(text)
        else:
            super().do_GET()

    def log_message(self, *rest):
        pass


class Lure(socketserver.BaseRequestHandler):
    def handle(self):
        note("touched", "%s:%d" % self.server.server_address[:2])
        self.request.sendall(b"HTTP/1.0 200 OK\r\n\r\nlure\n")


class Echo(socketserver.BaseRequestHandler):
    """To the end of what comes; then it says how much that was."""

    def handle(self):
        size = 0
        while True:
            data = self.request.recv(1 << 16)
            if not data:
                break
            size += len(data)
            self.request.sendall(data)
        self.request.sendall(b"\n%d bytes\n" % size)


class Source(socketserver.BaseRequestHandler):
    def handle(self):
        size = int(self.request.makefile().readline())
        block = b"x" * (1 << 20)
        while size > 0:
            self.request.sendall(block[:size])
            size -= len(block)


class Reset(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.request.detach())


class Hold(socketserver.BaseRequestHandler):
    """Until the other end goes, which is noted."""

    def handle(self):
        try:
            while self.request.recv(1 << 16):
                pass
            note("held", "end")
        except ConnectionError:
            note("held", "reset")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self):
        self.socket.bind(self.server_address)


class Server6(Server):
    address_family = socket.AF_INET6


class Secure(Server):
    def get_request(self):
        plain, address = self.socket.accept()
        return plain, address

    def process_request_thread(self, request, address):
        try:
            request = self.context.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            return
        super().process_request_thread(request, address)


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    socketserver.UDPServer.max_packet_size = 4096
    serve(socketserver.ThreadingUDPServer((DNS, 53), Datagram))
    serve(Server((DNS, 53), Stream))
    for place in (GOOD, EVIL):
        serve(Server((place, 80), Web))
    serve(Server6((SIX, 80), Web))
    Secure.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Secure.context.load_cert_chain(os.path.join(HERE, "cert.pem"), os.path.join(HERE, "key.pem"))
    serve(Secure((GOOD, 443), Web))
    for port, kind in ((7, Echo), (9, Reset), (19, Source), (11, Hold)):
        serve(Server((GOOD, port), kind))
    serve(Server((GOOD, 8443), Lure))
    for place, port in (("10.0.0.5", 80), ("169.254.169.254", 80), ("127.0.0.1", 80), ("127.0.0.1", 8081)):
        serve(Server((place, port), Lure))
    serve(Server6(("::1", 80), Lure))
    print("ready", flush=True)
    sys.stdin.read()


main()
