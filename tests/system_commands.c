/* SPDX-License-Identifier: MIT */
/*
 * Commands of every day: under the defaults each works, but for those that are known to be refused,
 * each with the line of `config` that it takes, if any does. A command that fails without a sandbox
 * too says nothing, and one that is not installed is left out.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(commands, .init = outside_start, .fini = outside_stop, .timeout = 300);

/* One a line; the first word of each has to be there. */
static const char allowed[] =
	"ls -laR /usr/share/doc/bash\n"
	"cp -a /usr/share/doc/bash b\n"
	"mv -v $(mktemp f.XXX) g\n"
	"rm -rf b\n"
	"ln -s /etc l\n"
	"mkdir -m 2775 -p m/n\n"
	"install -d -m 2750 d\n"
	"chmod 2770 m\n"
	"chgrp 1000 m\n"
	"chown 1000:1000 m\n"
	"touch -d yesterday t\n"
	"stat -f .\n"
	"df -h .\n"
	"du -sh /usr/share/doc/bash\n"
	"dd if=/dev/zero of=z bs=64k count=16 status=none\n"
	"truncate -s 10M s\n"
	"fallocate -l 1M a\n"
	"sync -f .\n"
	"mkfifo p\n"
	"mktemp -d\n"
	"readlink -f l\n"
	"realpath .\n"
	"find /usr/share/doc/bash -type f -newer /etc/passwd\n"
	"xargs -P 4 -n 1 true < /etc/hosts\n"
	"grep -rc bash /usr/share/doc/bash\n"
	"sed -i s/a/b/ t\n"
	"awk 'BEGIN { print 6 * 7 }'\n"
	"sort -R --parallel=2 /etc/hosts\n"
	"split -l 1 /etc/hosts x.\n"
	"diff -r /usr/share/doc/bash /usr/share/doc/bash\n"
	"patch --version\n"
	"tar cpf t.tar /usr/share/doc/bash\n"
	"tar xpf t.tar\n"
	"gzip -k t.tar\n"
	"bzip2 -k t.tar\n"
	"xz -k -T 2 t.tar\n"
	"zstd -q -T2 t.tar\n"
	"cpio -o < /dev/null\n"
	"zip -r z.zip m\n"
	"sha256sum t.tar\n"
	"openssl speed -seconds 1 -bytes 16 sha256\n"
	"gpg --batch --list-keys\n"
	"ssh-keygen -q -t ed25519 -N '' -f k\n"
	"ssh-agent true\n"
	"ps auxf\n"
	"top -bn1\n"
	"pgrep -l .\n"
	"pstree\n"
	"kill -0 $$\n"
	"timeout 5 true\n"
	"nice -n 5 true\n"
	"renice -n 6 $$\n"
	"ionice -c 3 true\n"
	"ionice -c 2 -n 7 true\n"
	"chrt -o 0 true\n"
	"chrt -b 0 true\n"
	"chrt -i 0 true\n"
	"taskset -c 0 true\n"
	"nohup true\n"
	"setsid -w true\n"
	"flock lock true\n"
	"script -qc true /dev/null\n"
	"stty -a < /dev/tty\n"
	"tput cols\n"
	"watch --version\n"
	"free -m\n"
	"nproc\n"
	"lscpu\n"
	"uptime\n"
	"vmstat\n"
	"uname -a\n"
	"hostname -f\n"
	"id -a\n"
	"getent hosts localhost\n"
	"locale -a\n"
	"date -R\n"
	"prlimit --nofile=64 true\n"
	"setarch -R true\n"
	"git init -q --shared r\n"
	"git -C r -c user.name=a -c user.email=a@b commit -q --allow-empty -m one\n"
	"make --version\n"
	"gcc -xc -o c - < c.c\n"
	"g++ -xc++ -o c - < c.c\n"
	"gdb --version\n"
	"python3 -c 'import socket; s = socket.create_server((\"\", 0)); "
	"socket.create_connection(s.getsockname())'\n"
	"python3 -m venv --without-pip v\n"
	"python3 -c 'import multiprocessing as m; m.Pool(2).map(abs, range(9))'\n"
	"python3 -c 'import os; os.setuid(1000); os.setgid(1000); os.setresuid(1000, 1000, 1000)'\n"
	"python3 -c 'import sqlite3; sqlite3.connect(\"q\").execute(\"create table t (n)\")'\n"
	"perl -MSocket -e 'socket(my $s, PF_INET, SOCK_STREAM, 0) or die; listen($s, 5) or die'\n"
	"node -e 'require(\"os\").networkInterfaces(); new "
	"(require(\"worker_threads\").Worker)(\"\", { eval: true })'\n"
	"java -version\n"
	"go version\n"
	"ruby -rsocket -e 'TCPServer.new(\"127.0.0.1\", 0)'\n"
	"redis-server --version\n"
	"ss -ltn\n"
	"ip addr\n"
	"ip route\n"
	"vim -es -c q\n"
	"tmux -L t new-session -d true\n"
	"sqlite3 q 'select 1'\n"
	"curl -s file:///etc/hostname\n"
	"rsync -a /usr/share/doc/bash y\n"
	"bc -l < /dev/null\n"
	"jq -n 1\n"
	"file /bin/sh\n"
	"ldd /bin/sh\n"
	"strings /bin/true\n"
	"man -w ls\n";

/* The reasons are in SECURITY.md and mimobox(5). */
static const char refused[] = "chrt -f 1 true\n"
			      "ionice -c 2 -n 0 true\n"
			      "ionice -c 1 true\n"
			      "chmod 4755 t\n"
			      "unshare -r true\n"
			      "mount -t tmpfs t m\n"
			      "chroot / true\n"
			      "su -c true\n"
			      "ping -c 1 127.0.0.1\n"
			      "ip link set lo down\n"
			      "ip addr add 127.0.0.2/32 dev lo\n"
			      "hostname other\n"
			      "date -s now\n"
			      "mknod n c 1 3\n"
			      "dmesg\n"
			      "ipcmk -M 1000\n"
			      "strace true\n"
			      "setpriv --no-new-privs true\n"
			      "renice -n -5 $$\n";

/* `NAME` is what ends a line of what it prints: the status, and the command. */
static const char runner[] =
	"cd /workspace || cd \"$1\"; export HOME=/tmp; echo 'int main(void) { return 0; }' > c.c\n"
	"while IFS= read -r line; do\n"
	"  word=${line%% *}; command -v \"$word\" >/dev/null || { echo \"- $line\"; continue; }\n"
	"  timeout 60 bash -c \"$line\" > out 2>&1 < /dev/null; status=$?\n"
	"  echo \"$status $line\"; [ $status = 0 ] || head -c 300 out | tail -n 2 | sed 's/^/    "
	"/'\n"
	"done < \"$2\"\n";

static char *run_list(const char *list, const char *more)
{
	char *out;
	int status;

	outside_file(outside("list"), list, ROOT, 0644);
	outside_file(outside("runner"), runner, ROOT, 0644);
	out = session_run_as(
		ANN, "a",
		text("memory 2G\ncpu 2\nprocesses 512\ntmp-size 256M\nro %s:/srv/list\n"
		     "ro %s:/srv/runner\n%s"
		     "argv [\"bash\",\"/srv/runner\",\"/tmp\",\"/srv/list\"]\n",
		     outside("list"), outside("runner"), more),
		&status);
	session_remove("a");
	return out;
}

/* The status of a command in what was printed; -1: it is not installed. */
static int status_of(const char *out, const char *command)
{
	char *line, *rest = text("%s", out);

	while ((line = strsep(&rest, "\n")))
		if (strchr(line, ' ') && !strcmp(strchr(line, ' ') + 1, command))
			return *line == '-' ? -1 : atoi(line);
	cr_expect_fail("nothing of '%s'", command);
	return -1;
}

Test(commands, work_by_default)
{
	char *inside = run_list(allowed, ""), *bare;
	char *line, *rest = text("%s", allowed);
	unsigned worked = 0;

	outside_directory(outside("work"), ANN, 0755);
	bare = run_as(ANN,
		      text("cd %s; exec setsid -w script -qec 'bash %s %s %s' /dev/null",
			   outside("work"), outside("runner"), outside("work"), outside("list")))
		       .out;
	bare = plain(bare);
	while ((line = strsep(&rest, "\n")) && *line) {
		int is = status_of(inside, line);

		if (is > 0 && status_of(bare, line) == 0)
			cr_expect_fail("%d: %s\n%s", is, line, strstr(inside, line));
		worked += is == 0;
	}
	cr_expect_geq(worked, 60, "%u\n%s", worked, inside);
}

Test(commands, refused_by_default)
{
	char *out = run_list(text("touch t; mkdir m\n%s", refused), "");
	char *line, *rest = text("%s", refused);
	unsigned held = 0;

	while ((line = strsep(&rest, "\n")) && *line) {
		int is = status_of(out, line);

		cr_expect_neq(is, 0, "%s\n%s", line, out);
		held += is > 0;
	}
	cr_expect_geq(held, 8, "%u\n%s", held, out);
	/* what takes a line of config */
	cr_expect_eq(status_of(run_list("ipcmk -M 1000\n", "seccomp compat\n"), "ipcmk -M 1000"),
		     0);
}
