/* SPDX-License-Identifier: MIT */
#include "names_case.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

static const char network[] =
	"set -e; ip link set lo up\n"
	"for a in 93.184.0.1 93.184.0.10 93.184.0.20 10.0.0.5 169.254.169.254; do\n"
	"	ip addr add $a/32 dev lo\n"
	"done\n"
	"ip -6 addr add 2606:2800::10/128 dev lo nodad\n"
	/* An address without a machine. */
	"ip route add unreachable 93.184.0.99/32\n"
	"printf 'nameserver 93.184.0.1\\noptions timeout:1\\n' > /etc/resolv.conf.new\n"
	"rm -f /etc/resolv.conf; mv /etc/resolv.conf.new /etc/resolv.conf\n"
	"printf '127.0.0.1 localhost\\n93.184.0.10 hosts.test\\n' > /etc/hosts\n";

const char *names_world(void)
{
	return outside("world");
}

static void make_files(void)
{
	sh(text("cd %s && mkdir world world/www && "
		"openssl req -x509 -newkey rsa:2048 -nodes -keyout world/key.pem -out "
		"world/cert.pem -days 7 -subj /CN=good.test -addext "
		"'subjectAltName=DNS:good.test,DNS:also-good.test,DNS:*.wild.test' 2>/dev/null && "
		"cp %s/tests/probe_names.py world/probe.py && chmod 755 world && "
		"chmod 644 world/*.pem world/probe.py && touch world/touched world/asked "
		"world/held",
		fixture.dir, getenv("SOURCE")));
}

void names_prepare(void)
{
	outside_prepare();
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	sh(network);
	make_files();
	/* It ends with its input: when this process does. */
	sh(text("mkfifo %s/end %s/ready", names_world(), names_world()));
	const char *script = text("exec /usr/bin/python3 %s/tests/world.py %s < %s/end > %s/ready",
				  getenv("SOURCE"), names_world(), names_world(), names_world());
	spawn((const char *const[]){ "/bin/sh", "-c", script, NULL });
	cr_assert(freopen(text("%s/end", names_world()), "w", stdin));
	cr_assert_str_eq(sh(text("head -n 1 %s/ready", names_world())), "ready\n");
}

void names_start(void)
{
	names_prepare();
	fixture_daemon(NULL);
}

void names_stop(void)
{
	outside_stop();
}

char *names_config(const char *config, const char *arguments)
{
	return text("network names\nterminal no\nprocesses 300\nopen-files 4096\nro "
		    "%s:/srv/world\nenv FACTOR=%d\n%s\n"
		    "command /usr/bin/python3 /srv/world/probe.py %s 2>&1\n",
		    names_world(), (int)factor(), config, arguments);
}

char *names_probe(uid_t user, const char *config, const char *arguments)
{
	int status;
	char *output = session_run_as(user, "a", names_config(config, arguments), &status);
	cr_expect_eq(status, 0, "%s", output);
	return output;
}

void names_expect(const char *output, const char *lines)
{
	char *line, *rest = text("%s", lines);
	while ((line = strsep(&rest, "\n")) && *line)
		cr_expect(has(text("\n%s", output), text("\n%s\n", line)), "not '%s' in\n%s", line,
			  output);
}

char *names_noted(const char *file)
{
	return outside_read(text("%s/%s", names_world(), file));
}
