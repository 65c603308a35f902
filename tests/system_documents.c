/* SPDX-License-Identifier: MIT */
/*
 * What the documents tell people to type is typed here, as it stands: the ```sh blocks of the
 * README and the literal blocks under EXAMPLES in the manual pages. Each is one script, on a
 * terminal, in which the first failure is the end, at /run/mimobox of a mount namespace of its own.
 */
#include <criterion/criterion.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

/* How an example begins, and what it prints. One that is not here must succeed, no more. */
static const struct {
	const char *document, *begins, *prints;
} known[] = {
	{ "README.md", "mimoboxfs /run/mimobox  ", "\n3\n" },
	{ "README.md", "mimoboxfs /run/mimobox\ncd ", "gone\na  b\n" },
	{ "mimoboxfs.8", "mimoboxfs /run/mimobox\nmkdir /run/mimobox/hello", "hello\n3\n" },
	{ "README.md", "mimoboxfs /run/mimobox\nmimobox run", "ended with 3\na\nb\n" },
	{ "README.md", "mimoboxfs /run/mimobox\nmkdir /run/mimobox/web",
	  "allow github.com:22,443 # connections 0 sent 0 received 0 refused 0\n" },
	{ "mimobox.1", "mimoboxfs /run/mimobox\nmimobox run", "42\na\nb\n" },
	{ "mimoboxfs.8", "printf 'timeout", "timeout 10m\nmemory 256M\n" },
	{ "mimoboxfs.8", "mimoboxfs /run/mimobox\nmkdir /run/mimobox/long", "still there" },
	{ "mimobox.5", "mimoboxfs /run/mimobox\ncd /run/mimobox\nmkdir sh", "\ntoday\n" },
	{ "mimobox.5", "mimoboxfs /run/mimobox\ncd /run/mimobox\nmkdir count",
	  "exit 2\nreason exit\n" },
	{ "mimobox.5", "mimoboxfs /run/mimobox\ncd /run/mimobox\nd=$(mktemp",
	  "unknown key 'memroy'\nmatch 5\n0\nHello World\n" },
	{ "README.md", "mimoboxfs /run/mimobox\nprintf 'sleep",
	  "exit 3: 3\nslow\nsleep 1; echo slow: 0\none failed\n42\nTraceback" },
	{ "mimobox-examples.7", "mimoboxfs /run/mimobox\nprintf 'sleep",
	  "exit 3: 3\nslow\nsleep 1; echo slow: 0\nfailed\n" },
	{ "mimobox-trouble.7", "mimoboxfs /run/mimobox\nmimobox run", "99000000\n" },
	{ "mimobox-examples.7", "mimoboxfs /run/mimobox\nmkdir /run/sum",
	  "AC good.py\nTLE slow.py a " },
	{ "mimobox-examples.7", "mimoboxfs /run/mimobox\necho 'print", "42\nTraceback" },
	{ "mimobox-examples.7", "mimoboxfs /run/mimobox\n/usr/share/doc/mimobox/examples/run.mjs",
	  "quick\necho quick; exit 3: 3 (exit)\nslow\n" },
	{ "mimobox-examples.7", "mimoboxfs /run/mimobox\nmkdir -m 777 /run/reports",
	  "\nexit 1\nreason exit\n" },
	{ "mimobox-examples.7", "mimoboxfs /run/mimobox\n/usr/share/doc/mimobox/examples/dialogue",
	  "the sum is 42\n" },
};

/* Those that cannot be run here, by how they begin, and why. */
static const struct {
	const char *document, *begins, *why;
} left_out[] = {
	{ "README.md", "contrib/run ", "builds it all again, and runs every test, this one too" },
	{ "README.md", "cd contrib/web ", "goes on until it is ended: system_web.c" },
	{ "README.md", "contrib/deb ", "installs and enables: system_install.c, system_service.c" },
	{ "README.md", "contrib/vm/smoke ", "boots machines: system_vm.c" },
	{ "README.md", "contrib/model ", "takes hours: system_model.c" },
	{ "README.md", "contrib/fuzz ", "takes hours: the corpora are tests by themselves" },
};

enum { EXAMPLES_MAX = 64 };
struct example {
	const char *document;
	char *script;
};
static struct example examples[EXAMPLES_MAX];
static unsigned count;

static char *read_document(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t size, room = 1 << 20;
	char *all = keep(malloc(room));

	cr_assert(file != NULL, "%s", path);
	size = fread(all, 1, room - 1, file);
	fclose(file);
	all[size] = '\0';
	return all;
}

/* The lines between a line that is `begin` and the next that is `end`, as one more example. */
static void extract(const char *document, char *all, const char *begin, const char *end)
{
	char *script = NULL;

	for (char *line; (line = strsep(&all, "\n"));) {
		if (!script && !strcmp(line, begin)) {
			script = text("%s", "");
		} else if (script && !strcmp(line, end)) {
			cr_assert(*script != '\0' && count < EXAMPLES_MAX);
			examples[count++] = (struct example){ document, script };
			script = NULL;
		} else if (script) {
			script = text("%s%s\n", script, line);
		}
	}
	cr_assert(script == NULL, "%s: a block has no end", document);
}

/* mandoc_char(7): a backslash is written \e. Nothing else that is special is in examples. */
static char *plain_mdoc(char *all)
{
	char *to = all;

	for (char *from = all; *from; from++) {
		*to++ = *from;
		if (from[0] == '\\' && from[1] == 'e')
			from++;
	}
	*to = '\0';
	return all;
}

static void extract_all(void)
{
	const char *source = getenv("SOURCE");
	glob_t pages;

	cr_assert(source != NULL, "SOURCE: run by meson test");
	extract("README.md", read_document(text("%s/README.md", source)), "```sh", "```");
	cr_assert_eq(glob(text("%s/contrib/man/*.[1-8]", source), 0, NULL, &pages), 0);
	for (size_t i = 0; i < pages.gl_pathc; i++) {
		char *all = read_document(pages.gl_pathv[i]);
		char *from = strstr(all, "\n.Sh EXAMPLES\n");

		cr_assert(from != NULL, "%s: no examples", pages.gl_pathv[i]);
		extract(text("%s", strrchr(pages.gl_pathv[i], '/') + 1), plain_mdoc(from),
			".Bd -literal -offset indent", ".Ed");
	}
	globfree(&pages);
}

static bool is(const struct example *example, const char *document, const char *begins)
{
	return !strcmp(example->document, document) &&
	       !strncmp(example->script, begins, strlen(begins));
}

static bool is_left_out(const struct example *example)
{
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		if (is(example, left_out[i].document, left_out[i].begins))
			return true;
	return false;
}

/* One that an example has ended takes its time over what it leaves behind. */
static bool none_runs(const void *unused)
{
	pid_t pids[256];
	unsigned all = children(pids, 256);

	(void)unused;
	for (unsigned i = 0; i < all && i < 256; i++)
		if (pids[i] != fixture.guardian && !was_spawned(pids[i]) &&
		    process_state(pids[i]) != 'Z')
			return false;
	return true;
}

static void run_example(const struct example *example)
{
	char *path = text("%s/example", fixture.dir), *out;
	FILE *script = fopen(path, "we");
	struct run done;

	cr_assert(script != NULL);
	fprintf(script, "set -e; stty rows 24 cols 80\n%s", example->script);
	fclose(script);
	/* at the end of its input, script(1) types a NUL, which is echoed anywhere */
	done = run_shell("sh", text("p=%s; rm -f $p.in; mkfifo $p.in; "
				    "exec script -qec \"sh $p\" /dev/null <>$p.in",
				    path));
	out = plain(done.out);
	if (fixture_mounted())
		fixture_adopt();
	else
		cr_assert(await(none_runs, NULL, 15000));
	cr_assert_eq(done.status, 0, "%s: status %d of\n%s\nwhich printed\n%s", example->document,
		     done.status, example->script, out);
	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (is(example, known[i].document, known[i].begins))
			cr_assert(has(out, known[i].prints), "%s: not '%s' of\n%s\nbut\n%s",
				  example->document, known[i].prints, example->script, out);
	if (fixture.daemon)
		fixture_daemon_ended(SIGTERM);
}

/*
 * /run, what root's daemon makes and where a package has the examples are the test's own, so that
 * the lines can stay as they are.
 */
static void documents_prepare(void)
{
	fixture_private_mounts();
	fixture_prepare();
	sh("mount -t tmpfs none /run; mount -t tmpfs none /var/lib; mkdir /run/bin");
	sh(text("ln -s %s %s /run/bin", mimoboxfs(), getenv("CLIENT")));
	sh("mount -t tmpfs none /usr/share/doc; mkdir /usr/share/doc/mimobox;"
	   "ln -s \"$SOURCE\"/contrib/examples /usr/share/doc/mimobox");
	setenv("PATH", text("/run/bin:%s", getenv("PATH")), 1);
	strcpy(fixture.mount, "/run/mimobox");
	extract_all();
	cr_assert_eq(chdir(getenv("SOURCE")), 0); /* where the README is read */
}

/* Also what an example has left that failed half-way. */
static void documents_stop(void)
{
	if (!fixture.daemon && fixture_mounted())
		fixture_adopt();
	fixture_stop();
}

TestSuite(documents, .init = documents_prepare, .fini = documents_stop, .timeout = 120);

Test(documents, examples_do_what_they_say)
{
	unsigned ran = 0;

	for (unsigned i = 0; i < count; i++)
		if (!is_left_out(&examples[i])) {
			run_example(&examples[i]);
			ran++;
		}
	cr_assert_geq(ran, sizeof(known) / sizeof(*known));
}

static unsigned matches(const char *document, const char *begins)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++)
		found += is(&examples[i], document, begins);
	return found;
}

/* What is said of examples here is of ones that there are. */
Test(documents, every_example_that_is_known_is_there)
{
	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
		cr_expect_eq(matches(known[i].document, known[i].begins), 1, "%s: %s",
			     known[i].document, known[i].begins);
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		cr_expect_eq(matches(left_out[i].document, left_out[i].begins), 1, "%s: %s",
			     left_out[i].document, left_out[i].begins);
}

/* References to pages that this machine lacks, or has no index of, are not the pages' fault. */
Test(documents, manual_pages_are_clean)
{
	struct run done = run_shell(
		"sh", "mandoc -Tlint \"$SOURCE\"/contrib/man/*.[1-8] | grep -v "
		      "-e 'referenced manual not found' -e 'outdated mandoc.db' | grep .");

	cr_assert_eq(done.status, 1, "%s%s", done.out, done.err);
	cr_assert(!has(done.err, "not found"), "%s", done.err);
}

/* Each promise of SECURITY.md names tests that there are. */
Test(documents, promises_name_tests_that_there_are)
{
	char *missing = sh("cd $SOURCE; sed -n '/^| promise/,/^$/p' SECURITY.md | "
			   "sed -n 's/.*| \\(`.*\\) |$/\\1/p' | grep -o '`[a-z_:]*`' | tr -d '`' | "
			   "while read name; do suite=${name%%::*}; test=${name#\"$suite\"}; "
			   "grep -qE \"^Test\\($suite, ${test#::}\" tests/*.c || echo \"$name\"; "
			   "done");

	cr_expect_str_eq(missing, "", "no such test: %s", missing);
	cr_expect_gt(atoi(sh("cd $SOURCE; grep -o '`[a-z_]*::[a-z_]*`' SECURITY.md | wc -l")), 20);
}

/* So does each of what a daemon does under FAULTS. */
Test(documents, faults_name_tests_that_there_are)
{
	char *missing =
		sh("cd $SOURCE; sed -n 's/^\\.Pq Li //p' contrib/man/mimoboxfs.8 | "
		   "sed 's/ , /\\n/g' | while read suite test; do suite=${suite%:}; "
		   "grep -qE \"^Test\\($suite, $test\" tests/*.c || echo \"$suite: $test\"; "
		   "done");

	cr_expect_str_eq(missing, "", "no such test: %s", missing);
	cr_expect_gt(atoi(sh("grep -c '^.Pq Li [a-z]*: ' $SOURCE/contrib/man/mimoboxfs.8")), 20);
}
