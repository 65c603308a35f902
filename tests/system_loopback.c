/* SPDX-License-Identifier: MIT */
/*
 * Servers and their clients in a session with a network of its own, and what init answers for it:
 * as many as there may be, and what programs ask of their network.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(loopback, .init = outside_start, .fini = outside_stop, .timeout = 120);

/* Of python, in all the ways that a sandbox is made. */
static const char *const ways[] = { "", "ends last-process\n", "terminal no\n" };
enum { WAYS = 3 };

static const char script_path[] = "/srv/script.py";

static char *run_script(uid_t user, const char *script, const char *more, bool sealed)
{
	const char *path = script_path;
	char *output;
	int status;

	act_as(user);
	session_make("a");
	if (sealed) {
		act_as(ROOT);
		outside_file(at("a/workspace/script.py"), script, ROOT, 0644);
		act_as(user);
		path = "/workspace/script.py";
	} else {
		act_as(ROOT);
		outside_file(outside("script.py"), script, ROOT, 0644);
		act_as(user);
		put_all("a/config", text("ro %s:%s\n", outside("script.py"), path));
	}
	put_all("a/config", text("argv [\"python3\",\"%s\"]\n%s", path, more));
	put_all("a/ctl", "start\n");
	act_as(ROOT);
	status = session_exit("a");
	output = plain(get("a/output", NULL));
	cr_expect_eq(status, 0, "%s: %s", more, output);
	session_remove("a");
	return output;
}

static void everywhere(const char *script, const char *expected)
{
	for (unsigned i = 0; i < 4 * WAYS; i++) {
		char *output = run_script(i % 2 ? ANN : ROOT, script, ways[i / 4], i / 2 % 2);

		cr_expect_str_eq(output, expected, "%s: %s", ways[i / 4], output);
	}
}

static const char talk[] =
	"import socket\n"
	"for family, address in (2, '127.0.0.1'), (10, '::1'), (2, '127.9.8.7'):\n"
	"    server = socket.socket(family)\n"
	"    server.bind((address, 7777))\n"
	"    server.listen(511)\n"
	"    client = socket.create_connection((address, 7777), 5)\n"
	"    other = server.accept()[0]\n"
	"    client.sendall(b'x' * 999999) if client.send(b'said') == 0 else None\n"
	"    a = socket.socket(family, socket.SOCK_DGRAM)\n"
	"    a.bind((address, 0))\n"
	"    socket.socket(family, socket.SOCK_DGRAM).sendto(b'heard', a.getsockname())\n"
	"    print(other.recv(9).decode(), a.recv(9).decode())\n"
	"print(socket.gethostbyname('localhost'), socket.gethostbyname(socket.gethostname()))\n";

Test(loopback, streams_and_datagrams)
{
	everywhere(talk, "said heard\nsaid heard\nsaid heard\n127.0.0.1 127.0.0.1\n");
}

/* Each has the port, and neither hears of the other. */
Test(loopback, two_sessions_on_one_port)
{
	static const char *const names[] = { "a", "b", "c" };
	static const char serve[] =
		"argv [\"python3\",\"-c\",\"import socket\\nserver = socket.socket()\\n"
		"server.bind(('127.0.0.1', 8000))\\nserver.listen()\\nprint('READY', flush=True)\\n"
		"input()\\nclient = socket.create_connection(('127.0.0.1', 8000))\\n"
		"client.send(b'%s')\\nprint(server.accept()[0].recv(9).decode(), flush=True)\\n"
		"server.settimeout(0)\\n"
		"try: server.accept()\\nexcept BlockingIOError: print('alone')\"]\n";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	session_start_as(ANN, "a", text(serve, "of-ann"));
	session_start_as(BOB, "b", text(serve, "of-bob"));
	session_start_as(ANN, "c", text(serve, "another"));
#pragma GCC diagnostic pop
	for (unsigned i = 0; i < 3; i++)
		get(text("%s/wait/match@0:READY", names[i]), NULL);
	for (unsigned i = 0; i < 3; i++) {
		put_all(text("%s/input", names[i]), "\n");
		cr_expect_eq(session_exit(names[i]), 0);
	}
	cr_expect(has(plain(get("a/output", NULL)), "of-ann\nalone\n"));
	cr_expect(has(plain(get("b/output", NULL)), "of-bob\nalone\n"));
	cr_expect(has(plain(get("c/output", NULL)), "another\nalone\n"));
}

/* What programs ask of it: by netlink, and as Java does */

static const char interfaces[] =
	"import fcntl, socket, struct, ctypes\n"
	"print(socket.if_nameindex())\n"
	"s = socket.socket()\n"
	"buffer = ctypes.create_string_buffer(400)\n"
	"def ask(size, address):\n"
	"    request = struct.pack('iiQ', size, 0, address)\n"
	"    return struct.unpack('iiQ', fcntl.ioctl(s, 0x8912, request))[0]\n"
	"print(ask(0, 0), ask(400, ctypes.addressof(buffer)))\n"
	"print(buffer.raw[:2], socket.inet_ntoa(buffer.raw[20:24]), buffer.raw[40:] == "
	"bytes(360))\n"
	"print(ask(39, ctypes.addressof(buffer)))\n"
	"for do in lambda: ask(400, 8), lambda: fcntl.ioctl(open('/dev/null'), 0x8912, b'x' * "
	"16):\n"
	"    try: do()\n"
	"    except OSError as e: print(e.strerror)\n"
	"print(socket.inet_ntoa(fcntl.ioctl(s, 0x8915, b'lo'.ljust(40, bytes(1)))[20:24]))\n";

Test(loopback, its_interface_is_told)
{
	char *out = run_script(ANN, interfaces, "", false);

	/* of a device Landlock has refused it already */
	out[strcspn(out, "?")] = '\0';
	cr_expect(has(out, "[(1, 'lo')]\n40 40\nb'lo' 127.0.0.1 True\n0\nBad address\n"), "%s",
		  out);
	cr_expect(has(out, "\n127.0.0.1\n"), "%s", out);
	cr_expect(has(out, "Inappropriate ioctl") || has(out, "Permission denied"), "%s", out);
	everywhere("import socket\nprint(socket.if_nameindex())\n", "[(1, 'lo')]\n");
}

/* To look is all: what changes something is refused by the kernel. */
static const char change[] =
	"import errno, socket, struct\n"
	"s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
	"def says(kind, body):\n"
	"    s.send(struct.pack('IHHII', 16 + len(body), kind, 5, 1, 0) + body)\n"
	"    size, reply = struct.unpack('IHHIIi', s.recv(9999)[:20])[0::5]\n"
	"    print(kind, errno.errorcode[-reply])\n"
	"link = struct.pack('BxHiII', 0, 0, 1, 0, 1)\n"
	"for kind in 16, 17, 19: says(kind, link)\n" /* NEWLINK, DELLINK, SETLINK */
	"for kind in 20, 21: says(kind, struct.pack('BBBBi', 2, 8, 0, 0, 1))\n" /* addresses */
	"for kind in 24, 25: says(kind, struct.pack('BBBBBBBBI', 2, 0, 0, 0, 254, 3, 0, 1, 0))\n"
	"for protocol in 1, 4, 9, 12, 15, 16:\n"
	"    try: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol); print('made')\n"
	"    except OSError as e: print(errno.errorcode[e.errno])\n";

Test(loopback, netlink_changes_nothing)
{
	static const char *const configs[] = { "seccomp essential\n", "seccomp compat\n",
					       "network names\n" };

	for (unsigned c = 0; c < 3; c++) {
		char *out = run_script(ANN, change, configs[c], c % 2);

		cr_expect_str_eq(out,
				 "16 EPERM\n17 EPERM\n19 EPERM\n20 EPERM\n21 EPERM\n24 EPERM\n"
				 "25 EPERM\nEPROTONOSUPPORT\nEPROTONOSUPPORT\nEPROTONOSUPPORT\n"
				 "EPROTONOSUPPORT\nEPROTONOSUPPORT\nEPROTONOSUPPORT\n",
				 "%s", out);
	}
}

/* The runtimes' own way to ask */
static const struct {
	const char *program, *name, *source, *command, *expected;
} runtimes[] = {
	{ "node", "if.js",
	  "const o = require('os'), n = require('net');\n"
	  "console.log(Object.keys(o.networkInterfaces()).join());\n"
	  "const s = n.createServer(c => c.end('hello')).listen(0, () =>\n"
	  "  n.connect(s.address().port, 'localhost').on('data', d => {\n"
	  "    console.log(`${d}`); s.close(); }));\n",
	  "node /srv/p/if.js", "lo\nhello\n" },
	{ "java", "If.java",
	  "import java.net.*; import java.util.*;\n"
	  "public class If { public static void main(String[] a) throws Exception {\n"
	  "  for (NetworkInterface n : Collections.list(NetworkInterface.getNetworkInterfaces()))\n"
	  "    System.out.println(n.getName());\n"
	  "  System.out.println(InetAddress.getLocalHost());\n"
	  "  ServerSocket s = new ServerSocket(0);\n"
	  "  Socket c = new Socket(\"localhost\", s.getLocalPort());\n"
	  "  s.accept().getOutputStream().write(104);\n"
	  "  System.out.println(c.getInputStream().read()); } }\n",
	  "java -XX:-UsePerfData /srv/p/If.java", "lo\nmimobox/127.0.0.1\n104\n" },
	{ "go", "main.go",
	  "package main\nimport (\"fmt\"; \"net\"; \"io\"; \"net/http\")\n"
	  "func main() {\n"
	  "  i, e := net.Interfaces(); fmt.Println(i[0].Name, e)\n"
	  "  a, e := net.InterfaceAddrs(); fmt.Println(len(a), e)\n"
	  "  l, e := net.Listen(\"tcp\", \"localhost:0\"); if e != nil { panic(e) }\n"
	  "  go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {\n"
	  "    fmt.Fprintln(w, \"hello\") }))\n"
	  "  r, e := http.Get(\"http://\" + l.Addr().String()); if e != nil { panic(e) }\n"
	  "  b, _ := io.ReadAll(r.Body); fmt.Print(string(b)) }\n",
	  "cd /workspace && cp /srv/p/main.go . && HOME=/tmp GOFLAGS=-mod=mod go run main.go",
	  "lo <nil>\n2 <nil>\nhello\n" },
};

Test(loopback, runtimes)
{
	outside_directory(outside("p"), ROOT, 0755);
	for (unsigned i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++) {
		char *output;
		int status;

		/* A session has the host's /usr, and no more. */
		if (access(text("/usr/bin/%s", runtimes[i].program), X_OK) != 0)
			continue;
		outside_file(outside("p/%s", runtimes[i].name), runtimes[i].source, ROOT, 0644);
		output = session_run_as(
			ANN, "a",
			text("memory 2G\nprocesses 512\ncpu 2\ntmp-size 1G\nro %s:/srv/p\n"
			     "command %s\n",
			     outside("p"), runtimes[i].command),
			&status);
		cr_expect_str_eq(output, runtimes[i].expected, "%s: %s", runtimes[i].program,
				 output);
		session_remove("a");
	}
}

/* What of it no cgroup is charged for has a bound */

/* One that is closed makes room for another. */
static const char many[] = "import ctypes, socket, sys\n"
			   "def most(make):\n"
			   "    kept = []\n"
			   "    try:\n"
			   "        while len(kept) < 300: kept.append(make())\n"
			   "    except OSError as e: return len(kept), e.strerror\n"
			   "    return len(kept), 'no bound'\n"
			   "def listener(family=2):\n"
			   "    s = socket.socket(family)\n"
			   "    s.listen(4096)\n"
			   "    return s\n"
			   "def listen_again():\n"
			   "    s = listener()\n"
			   "    for i in range(99): s.listen(i)\n"
			   "    return s\n"
			   "if len(sys.argv) > 1: ctypes.CDLL(None).prctl(4, 0)\n"
			   "for i in range(2): print(*most(listener))\n"
			   "print(*most(lambda: listener(10)))\n"
			   "if len(sys.argv) == 1: print(*most(listen_again))\n"
			   "def unix():\n"
			   "    s = socket.socket(1)\n"
			   "    s.bind('')\n"
			   "    s.listen(4096)\n"
			   "    return s\n"
			   "print(*most(unix))\n"
			   "for i in range(2): print(*most(lambda: socket.socket(16, 3, 0)))\n";

#define NONE_LEFT " No buffer space available\n"
#define BOUNDS \
	"32" NONE_LEFT "32" NONE_LEFT "32" NONE_LEFT "%s300 no bound\n16" NONE_LEFT "16" NONE_LEFT

Test(loopback, sockets_that_are_charged_to_nobody)
{
	int status;
	char *most = text(BOUNDS, "32" NONE_LEFT), *out;

	everywhere(many, most);
	/* nor by a program that init cannot look into */
	outside_file(outside("script.py"), many, ROOT, 0644);
	out = session_run_as(ANN, "a",
			     text("ro %s:/srv/s\nargv [\"python3\",\"/srv/s\",\"apart\"]\n",
				  outside("script.py")),
			     &status);
	cr_expect_str_eq(out, text(BOUNDS, ""), "%s", out);
	/* the control: it is no bound of the machine's */
	out = run_as(ANN, text("python3 %s", outside("script.py"))).out;
	cr_expect(!has(out, "No buffer") && has(out, "300 no bound"), "%s", out);
}

/*
 * Connections that nobody accepts, with as much in each as it takes; up to a number of pages, so
 * that the control takes nothing from others.
 */
static const char fill[] =
	"import socket, sys\n"
	"def pages():\n"
	"    return int(open('/proc/net/sockstat').read().split('TCP:')[1].split()[9])\n"
	"def fill(address):\n"
	"    c = socket.socket()\n"
	"    c.setblocking(False)\n"
	"    try: c.connect(address)\n"
	"    except BlockingIOError: pass\n"
	"    try:\n"
	"        while True: c.send(bytes(65536))\n"
	"    except OSError: pass\n"
	"listeners = []\n"
	"most = int(sys.argv[1])\n"
	"try:\n"
	"    while len(listeners) < 64:\n"
	"        s = socket.socket()\n"
	"        s.bind(('127.0.0.1', 0))\n"
	"        s.listen(4096)\n"
	"        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)\n"
	"        listeners.append(s)\n"
	"except OSError: pass\n"
	"for s in listeners:\n"
	"    for i in range(150):\n"
	"        if pages() < most: fill(s.getsockname())\n"
	"print(pages())\n";

/* Of what the machine has, in pages; the session's own memory is a small part of it. */
Test(loopback, connections_that_nobody_accepts)
{
	long most = atol(sh("awk '{ print $3 }' /proc/sys/net/ipv4/tcp_mem"));
	long wanted = most / 5 * 2, inside, control;
	int status;

	outside_file(outside("script.py"), fill, ROOT, 0644);
	inside = atol(session_run_as(
		ANN, "a",
		text("memory 64M\nro %s:/srv/s\nargv [\"python3\",\"/srv/s\",\"%ld\"]\n",
		     outside("script.py"), wanted),
		&status));
	control = atol(sh(text("unshare -n sh -c 'ip link set lo up; python3 %s %ld'",
			       outside("script.py"), wanted)));
	cr_expect(inside > 0 && inside < most / 4, "%ld of %ld", inside, most);
	cr_expect_geq(control, wanted, "%ld of %ld", control, most);
}

static const char buffers[] =
	"import socket\n"
	"def size(kind, wanted):\n"
	"    s = socket.socket(*kind)\n"
	"    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)\n"
	"    return s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)\n"
	"for kind in (2, 1), (10, 1), (2, 2), (1, 1):\n"
	"    print(size(kind, 20000), size(kind, 100000), size(kind, -1) >= 100000)\n"
	"try: socket.socket().setsockopt(1, 8, b'x')\n"
	"except OSError as e: print(e.strerror)\n";

/* As if the machine's limit were lower, for TCP alone. */
Test(loopback, receive_buffers)
{
	everywhere(buffers, "40000 131072 True\n40000 131072 True\n40000 200000 True\n"
			    "40000 200000 True\nInvalid argument\n");
}
