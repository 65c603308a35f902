/* SPDX-License-Identifier: MIT */
/*
 * The three networks: each with what it must reach and what it must not, by the programs that
 * people use, and by hand where those would hide the reason.
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

TestSuite(network, .init = outside_start, .fini = outside_stop, .timeout = 120);

static const char *const profiles[] = { "essential", "network", "compat" };

/* Each line tells how it went: "done", or the errno's name. */
static const char python[] =
	"import errno, socket, sys\n"
	"port, udp = int(sys.argv[1]), int(sys.argv[2])\n"
	"here = ('127.0.0.1', port)\n"
	"def attempt(name, act):\n"
	"    try:\n"
	"        act()\n"
	"        print(name, 'done')\n"
	"    except socket.gaierror:\n"
	"        print(name, 'no name')\n"
	"    except OSError as e:\n"
	"        print(name, errno.errorcode.get(e.errno, e))\n"
	"def tcp(): return socket.socket()\n"
	"def echo():\n"
	"    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
	"    s.settimeout(2)\n"
	"    s.sendto(b'x', ('127.0.0.1', udp))\n"
	"    s.recv(1)\n"
	"attempt('connect', lambda: tcp().connect(here))\n"
	"attempt('connect6', lambda: socket.socket(socket.AF_INET6).connect(\n"
	"    ('::ffff:127.0.0.1', port)))\n"
	"attempt('fastopen', lambda: tcp().sendto(b'x', socket.MSG_FASTOPEN, here))\n"
	"attempt('fastopenmsg', lambda: tcp().sendmsg([b'x'], [], socket.MSG_FASTOPEN, here))\n"
	"attempt('bind', lambda: tcp().bind(('127.0.0.1', 0)))\n"
	"attempt('bind7', lambda: tcp().bind(('0.0.0.0', 7777)))\n"
	"attempt('listen', lambda: tcp().listen())\n"
	"attempt('udp', echo)\n"
	"attempt('name', lambda: socket.getaddrinfo('mimobox.invalid', 80))\n"
	"attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))\n"
	"attempt('unix', lambda: socket.socketpair())\n"
	"print('tcp lines', sum(1 for l in open('/proc/net/tcp')) - 1)\n"
	"print('devices', *sorted(l.split(':')[0].strip() for l in "
	"list(open('/proc/net/dev'))[2:]))\n";

static char *look(uid_t user, const struct lures *lures, const char *config)
{
	char *output;
	int status;

	outside_file(outside("look.py"), python, ROOT, 0644);
	output =
		session_run_as(user, "a",
			       text("%s\nro %s:/srv/look.py\ncommand /usr/bin/python3 /srv/look.py "
				    "%u %u\n",
				    config, outside("look.py"), lures->tcp, lures->udp),
			       &status);
	cr_expect_eq(status, 0, "%s", output);
	session_remove("a");
	return output;
}

static void assert_lines(const char *config, const char *output, const char *lines)
{
	char *line, *rest = text("%s", lines);

	while ((line = strsep(&rest, "\n")) && *line)
		cr_expect(has(text("\n%s", output), text("\n%s\n", line)), "%s: not '%s' in\n%s",
			  config, line, output);
}

static void look_all(const char *network, const char *lines)
{
	const char *landlock = outside_landlock(has(network, "tcp"));
	struct lures lures;

	if (!landlock)
		return; /* such a start is refused: older::of_the_hosts_network */
	lures_lay(&lures, ANN);
	for (unsigned p = 0; p < 3; p++) {
		const char *config = text(
			"%sseccomp %s\nnetwork %s", landlock, profiles[p],
			has(network, "tcp") ? text("tcp %u", has(network, "other") ? lures.other_tcp
										   : lures.tcp)
					    : network);

		assert_lines(config, look(ANN, &lures, config), lines);
	}
}

/* Without a sandbox all of it goes. */
Test(network, outside)
{
	struct lures lures;

	lures_lay(&lures, ANN);
	outside_file(outside("look.py"), python, ROOT, 0644);
	assert_lines("outside",
		     run_as(ANN, text("/usr/bin/python3 %s %u %u", outside("look.py"), lures.tcp,
				      lures.udp))
			     .out,
		     "connect done\nconnect6 done\nfastopen done\nfastopenmsg done\nbind done\n"
		     "bind7 done\nlisten done\nudp done\nunix done\n");
}

static const char nobody_there[] =
	"connect ECONNREFUSED\nconnect6 ECONNREFUSED\nbind done\nbind7 done\nlisten done\n"
	"fastopen ENOTSUP\nfastopenmsg ENOTSUP\nname no name\nraw EPROTONOSUPPORT\nunix done\n"
	"devices lo\n";

/* What is refused is not the socket: with one, there is still nobody at the other end. */
Test(network, none)
{
	struct lures lures;
	char *output;

	lures_lay(&lures, ANN);
	for (unsigned p = 0; p < 3; p++) {
		output = look(ANN, &lures, text("network none\nseccomp %s", profiles[p]));
		assert_lines(profiles[p], output, nobody_there);
		cr_expect(!has(output, "udp done"), "%s", output);
	}
}

/* One that needs none of it may go without. */
Test(network, none_and_no_sockets)
{
	struct lures lures;

	lures_lay(&lures, ANN);
	assert_lines("strict", look(ANN, &lures, "network none\nseccomp strict"),
		     "connect EAFNOSUPPORT\nconnect6 EAFNOSUPPORT\nudp EAFNOSUPPORT\n"
		     "bind EAFNOSUPPORT\nlisten EAFNOSUPPORT\nname no name\nunix done\n"
		     "tcp lines 0\ndevices lo\n");
}

/* Nor is there anybody at the other end where the sandbox was sealed before it had a config. */
Test(network, none_where_all_is_sealed)
{
	static const char config[] = "seccomp %s\nargv [\"python3\",\"-c\",\"import socket\\n"
				     "for what in 'connect', 'bind':\\n"
				     "    try: getattr(socket.socket(), what)(('127.0.0.1', "
				     "7777)); print(what, 'done')\\n"
				     "    except OSError as e: print(what, e.errno)\"]\n";
	int status;

	for (unsigned i = 0; i < 8; i++) {
		bool strict = i / 2 == 3;
		char *output =
			session_run_as(i % 2 ? ANN : ROOT, "a",
				       text(config, strict ? "strict" : profiles[i / 2]), &status);

		cr_expect_str_eq(output,
				 strict ? "connect 97\nbind 97\n"
					: text("connect %d\nbind done\n", ECONNREFUSED),
				 "%s", output);
		session_remove("a");
	}
}

/* There is a loopback, and it is up. */
Test(network, none_has_loopback_of_its_own)
{
	char *output;
	int status;

	outside_file(outside("lo.py"),
		     "import socket\n"
		     "a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
		     "a.bind(('127.0.0.1', 0))\n"
		     "b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
		     "b.sendto(b'heard', a.getsockname())\n"
		     "print(a.recv(9).decode())\n",
		     ROOT, 0644);
	output = session_run(
		"a",
		text("ro %s:/srv/lo.py\ncommand /usr/bin/python3 /srv/lo.py\n", outside("lo.py")),
		&status);
	cr_expect_str_eq(output, "heard\n");
}

Test(network, host)
{
	look_all("host",
		 "connect done\nconnect6 done\nudp done\nbind done\nbind7 done\nlisten done\n"
		 "fastopen ENOTSUP\nfastopenmsg ENOTSUP\nraw EPROTONOSUPPORT\n"
		 "unix done\n");
}

Test(network, tcp_to_the_port_named)
{
	look_all("tcp", "connect done\nconnect6 done\nudp ESOCKTNOSUPPORT\nbind EACCES\n"
			"bind7 EACCES\nlisten EPERM\nfastopen ENOTSUP\nfastopenmsg ENOTSUP\n"
			"raw EPROTONOSUPPORT\nname no name\nunix done\n");
}

/* Nor where the session asks for nothing else, and could be one that was sealed before. */
Test(network, tcp_without_a_path)
{
	const char *landlock = outside_landlock(true);
	struct lures lures;
	int status;

	if (!landlock)
		return;
	lures_lay(&lures, ANN);
	for (unsigned i = 0; i < 6; i++) {
		char *output = session_run_as(
			i % 2 ? ANN : ROOT, "a",
			text("%sseccomp %s\nnetwork tcp %u\nargv [\"python3\",\"-c\",\"import "
			     "socket\\n"
			     "for port in %u, %u:\\n"
			     "    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\\n"
			     "    try: s.connect(('127.0.0.1', port)); print('done')\\n"
			     "    except OSError as e: print(e.errno)\"]\n",
			     landlock, profiles[i / 2], lures.tcp, lures.tcp, lures.other_tcp),
			&status);

		cr_expect_str_eq(output, "done\n13\n", "%s: %s", profiles[i / 2], output);
		session_remove("a");
	}
}

Test(network, tcp_to_no_other_port)
{
	look_all("tcp other", "connect EACCES\nconnect6 EACCES\nudp ESOCKTNOSUPPORT\nbind EACCES\n"
			      "bind7 EACCES\nlisten EPERM\nfastopen ENOTSUP\n"
			      "fastopenmsg ENOTSUP\nunix done\n");
}

/* Programs, and a server that they can get something from */

static const char server[] =
	"import http.server, os, sys\n"
	"os.chdir(sys.argv[1])\n"
	"class Quiet(http.server.SimpleHTTPRequestHandler):\n"
	"    def log_message(self, *a): pass\n"
	"server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet)\n"
	"open(sys.argv[2] + '.new', 'w').write(str(server.server_address[1]))\n"
	"os.rename(sys.argv[2] + '.new', sys.argv[2])\n"
	"server.serve_forever()\n";

static bool file_is_there(const void *path)
{
	return access(path, F_OK) == 0;
}

/* Serves a file `hello` and a repository `r.git`. */
static int serve(void)
{
	const char *port = outside("port");

	outside_file(outside("server.py"), server, ROOT, 0644);
	outside_directory(outside("site"), ROOT, 0755);
	outside_file(outside("site/hello"), "hello\n", ROOT, 0644);
	sh("cd $M/../site && git init -q w && cd w && echo text > file && git add file && "
	   "git -c user.name=t -c user.email=t@t commit -qm one && cd .. && "
	   "git clone -q --bare w r.git && git -C r.git update-server-info");
	spawn((const char *const[]){ "/usr/bin/python3", outside("server.py"), outside("site"),
				     port, NULL });
	cr_assert(await(file_is_there, port, 20000), "no server");
	return atoi(outside_read(port));
}

static const struct {
	const char *name, *command;
} programs[] = {
	{ "curl", "curl -s -m 10 http://127.0.0.1:%d/hello" },
	{ "python3", "/usr/bin/python3 -c 'import urllib.request as u; "
		     "print(u.urlopen(\"http://127.0.0.1:%d/hello\").read().decode(), end=\"\")'" },
	{ "node", "node -e 'fetch(\"http://127.0.0.1:%d/hello\").then(r => r.text()).then(t => "
		  "process.stdout.write(t)).catch(() => process.exit(1))'" },
	{ "git", "git clone -q http://127.0.0.1:%d/r.git c && cat c/file | sed s/text/hello/" },
	{ "perl",
	  "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(\"127.0.0.1:%d\") or exit "
	  "1; print $s \"GET /hello HTTP/1.0\\r\\n\\r\\n\"; while (<$s>) { print if /^hello/ "
	  "}'" },
};

static char *run_program(unsigned i, int port, const char *config)
{
	char *command, *output;
	int status;

	outside_file(outside("script"), "", ROOT, 0755);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	command = text(programs[i].command, port);
#pragma GCC diagnostic pop
	outside_file(outside("script"), command, ROOT, 0755);
	output = session_run_as(ANN, "a",
				text("%s\nmemory 1G\nro %s:/srv/script\ncommand sh /srv/script\n",
				     config, outside("script")),
				&status);
	session_remove("a");
	return text("%d %s", status, output);
}

static void run_programs(const char *network, int port, bool reaches)
{
	const char *landlock = outside_landlock(has(network, "tcp"));

	if (!landlock)
		return;
	for (unsigned i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		for (unsigned p = 0; p < 3; p += 2) {
			char *output = run_program(
				i, port,
				text("%snetwork %s\nseccomp %s", landlock, network, profiles[p]));

			cr_expect_eq(strcmp(output, "0 hello\n") == 0, reaches, "%s, %s: %s",
				     programs[i].name, network, output);
		}
}

Test(network, programs)
{
	int port = serve();

	run_programs("host", port, true);
	run_programs(text("tcp 1,%d", port), port, true);
	run_programs("tcp 1", port, false);
	run_programs("none", port, false);
}
