/* SPDX-License-Identifier: MIT */
/*
 * Hosts by name, for the programs that people use, each in its own way: a name that is allowed is
 * reached without a variable or an option, and one that is not fails at once, with what the program
 * says of a name that does not exist. A program that is not installed is left out.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "names_case.h"
#include "outside.h"

#define GOOD "93.184.0.10"

/* What they take from outside. Servers end with this process. */

static void serve_ssh(void)
{
	sh("test -d /run/sshd || { mount -t tmpfs none /run && mkdir -m 755 /run/sshd; }");
	sh(text("cd %s && ssh-keygen -q -t ed25519 -N '' -f host && "
		"ssh-keygen -q -t ed25519 -N '' -f user && chmod 644 user && "
		"printf 'ListenAddress " GOOD "\\nHostKey %s/host\\nPidFile none\\nUsePAM no\\n"
		"StrictModes no\\nAuthorizedKeysFile %s/user.pub\\nPermitRootLogin yes\\n' > sshd",
		names_world(), names_world(), names_world()));
	spawn((const char *const[]){ "/usr/bin/setpriv", "--pdeathsig", "KILL", "/usr/sbin/sshd",
				     "-D", "-f", text("%s/sshd", names_world()), NULL });
}

static void serve_redis(void)
{
	spawn((const char *const[]){ "/usr/bin/setpriv", "--pdeathsig", "KILL",
				     "/usr/bin/redis-server", "--bind", GOOD, "--save", "",
				     "--protected-mode", "no", "--dir", names_world(), "--logfile",
				     "/dev/null", NULL });
}

static void make_repository(void)
{
	sh(text("cd %s/www && git init -q -b main repo && cd repo && echo x > file && "
		"git add file && git -c user.name=a -c user.email=a@a commit -qm first && "
		"git clone -q --bare . ../repo.git && cd ../repo.git && git update-server-info",
		names_world()));
}

static void make_npm(void)
{
	sh(text("cd %s/www && mkdir registry package && "
		"echo '{ \"name\": \"thing\", \"version\": \"1.0.0\" }' > package/package.json && "
		"echo 'module.exports = 42' > package/index.js && "
		"tar -czf registry/thing-1.0.0.tgz package && "
		"echo '{ \"name\": \"thing\", \"dist-tags\": { \"latest\": \"1.0.0\" }, "
		"\"versions\": { \"1.0.0\": { \"name\": \"thing\", \"version\": \"1.0.0\", "
		"\"dist\": { \"tarball\": \"http://good.test/registry/thing-1.0.0.tgz\", "
		"\"shasum\": \"'$(sha1sum < registry/thing-1.0.0.tgz | cut -d' ' -f1)'\" } } } }' "
		"> registry/thing",
		names_world()));
}

static void make_apt(void)
{
	sh(text("cd %s/www && mkdir -p deb/DEBIAN apt && "
		"printf 'Package: thing\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@a>\\n"
		"Description: x\\n' > deb/DEBIAN/control && "
		"dpkg-deb -b deb apt/thing.deb > /dev/null && cd apt && "
		"{ dpkg-deb -f thing.deb && echo Filename: ./thing.deb && "
		"echo Size: $(stat -c %%s thing.deb) && "
		"echo SHA256: $(sha256sum < thing.deb | cut -d' ' -f1); } > Packages",
		names_world()));
}

/* As a static program of musl asks, which has a resolver of its own. */
static void make_musl(void)
{
	static const char source[] =
		"#include <netdb.h>\n#include <stdio.h>\n#include <string.h>\n"
		"#include <sys/socket.h>\n#include <unistd.h>\n"
		"int main(int argc, char **argv) {\n"
		"	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,\n"
		"				  .ai_flags = AI_ADDRCONFIG }, *found;\n"
		"	char line[999] = \"\", ask[] = \"GET /hello HTTP/1.0\\r\\n\\r\\n\";\n"
		"	int error = getaddrinfo(argv[argc - 1], \"80\", &hints, &found);\n"
		"	if (error) return puts(gai_strerror(error)), 1;\n"
		"	int fd = socket(found->ai_family, SOCK_STREAM, 0), size = 0, got;\n"
		"	if (connect(fd, found->ai_addr, found->ai_addrlen) < 0) return 2;\n"
		"	write(fd, ask, strlen(ask));\n"
		"	while ((got = read(fd, line + size, 900 - size)) > 0) size += got;\n"
		"	return puts(strstr(line, \"hello\") ? \"hello\" : line), 0;\n"
		"}\n";

	outside_file(text("%s/musl.c", names_world()), source, ROOT, 0644);
	sh(text("cd %s && musl-gcc -static -w -o musl musl.c", names_world()));
}

static void programs_start(void)
{
	names_prepare();
	fixture_daemon(NULL);
}

TestSuite(names_programs, .init = programs_start, .fini = names_stop, .timeout = 300);

/* The lines of a program, and what they print for a host that is allowed and one that is not. */
struct program {
	const char *needs;
	void (*prepare)(void);
	const char *script;      /* $H is the host */
	const char *good, *evil; /* parts */
};

#define WORLD "/srv/world"
#define SSH                                                                                \
	"cp " WORLD "/user key; chmod 600 key; S='ssh -i key -o StrictHostKeyChecking=no " \
	"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'; "

static const struct program programs[] = {
	{ "/usr/bin/ssh /usr/sbin/sshd /usr/bin/ssh-keygen", serve_ssh,
	  SSH "$S root@$H echo six times $((6 * 7))", "six times 42\n",
	  "Could not resolve hostname evil.test: Name or service not known" },
	{ "/usr/bin/git", make_repository,
	  "git -c http.sslCAInfo=" WORLD "/cert.pem clone -q https://$H/repo.git c && cat c/file",
	  "x\n", "Could not resolve host: evil.test" },
	{ "/usr/bin/curl", NULL, "curl -sS --cacert " WORLD "/cert.pem https://$H/hello",
	  "hello at good.test\n", "Could not resolve host: evil.test" },
	{ "/usr/bin/curl", NULL, "curl -sSL http://$H/to-evil", "Could not resolve host: evil.test",
	  "Could not resolve host: evil.test" },
	{ "/usr/bin/getent", NULL, "getent ahosts $H || echo none", "198.18.", "none\n" },
	{ "/usr/bin/wget", NULL,
	  "wget -nv -O - --ca-certificate=" WORLD "/cert.pem https://$H/hello",
	  "hello at good.test\n", "unable to resolve host address" },
	{ "/usr/bin/npm /usr/bin/node", make_npm,
	  "npm install --no-audit --no-fund --fetch-retries=0 --registry http://$H/registry/ thing "
	  "&& "
	  "node -p 'require(\"thing\")'",
	  "\n42\n", "ENOTFOUND" },
	{ "/usr/bin/node", NULL,
	  "node -e \"fetch('http://$H/hello').then(r => r.text()).then(console.log, "
	  "e => console.log(e.cause.code))\"",
	  "hello at good.test\n", "ENOTFOUND" },
	{ "/usr/bin/apt-get /usr/bin/dpkg-deb", make_apt,
	  "mkdir -p a/lists/partial a/cache/archives/partial; touch a/status; "
	  "echo \"deb [trusted=yes] http://$H/apt ./\" > a/list; "
	  "get() { apt-get -qq -o Dir::State=$PWD/a -o Dir::State::status=$PWD/a/status "
	  "-o Dir::Cache=$PWD/a/cache -o Dir::Etc::SourceList=$PWD/a/list -o "
	  "Dir::Etc::SourceParts=- "
	  "-o Dir::Etc::Parts=- -o APT::Sandbox::User= -o Debug::NoLocking=1 \"$@\"; }; "
	  "get update; get download thing; ls *.deb",
	  "thing_1_all.deb\n", "Could not resolve 'evil.test'" },
	{ "/usr/bin/redis-cli /usr/bin/redis-server", serve_redis,
	  "redis-cli -h $H set key six; redis-cli -h $H get key", "six\n",
	  "Name or service not known" },
	{ "/usr/bin/musl-gcc", make_musl, WORLD "/musl $H", "hello\n", "Name does not resolve" },
	{ "/usr/bin/busybox", NULL, "busybox wget -q -O - http://$H/hello", "hello at good.test\n",
	  "bad address" },
	{ "/usr/bin/chromium-headless-shell", NULL,
	  "timeout 60 chromium-headless-shell --no-sandbox --dump-dom http://$H/hello",
	  "hello at good.test", "Page load failed: net::ERR_" },
};

static bool is_installed(const char *paths)
{
	char *path, *rest = text("%s", paths);

	while ((path = strsep(&rest, " ")))
		if (access(path, X_OK) != 0)
			return false;
	return true;
}

static char *run_in(uid_t user, const struct program *program, const char *host)
{
	int status;
	char *script = text("cd /workspace\nexport H=%s\n{ %s; } 2>&1\n", host, program->script);

	outside_file(text("%s/script.sh", names_world()), script, ROOT, 0644);
	char *output = session_run_as(
		user, "a",
		text("network names\nallow good.test:22,80,443,6379\nterminal no\nmemory 1G\n"
		     "processes 300\nopen-files 4096\ncpu 2\nro %s:" WORLD
		     "\nenv HOME=/workspace\nenv NODE_EXTRA_CA_CERTS=" WORLD "/cert.pem\n"
		     "command sh " WORLD "/script.sh\n",
		     names_world()),
		&status);
	session_remove("a");
	return output;
}

Test(names_programs, in_their_own_ways)
{
	unsigned tried = 0;

	for (unsigned i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		const struct program *program = &programs[i];
		char *output;

		if (!is_installed(program->needs))
			continue;
		if (program->prepare)
			program->prepare();
		sh(text("chmod -R a+rX %s/www", names_world()));
		output = run_in(i % 2 ? ROOT : ANN, program, "good.test");
		cr_expect(has(output, program->good), "%s: %s", program->script, output);
		output = run_in(i % 2 ? ANN : ROOT, program, "evil.test");
		cr_expect(has(output, program->evil), "%s: %s", program->script, output);
		tried++;
	}
	cr_expect_geq(tried, 5, "%u are installed", tried);
	cr_expect_str_eq(names_noted("touched"), "");
}
