/* SPDX-License-Identifier: MIT */
/* The text of `config`: what is taken, what is refused and why, and that a listing reads back. */
#include "config.h"

#include "units.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct config config;
static struct reason reason;
static unsigned line;
static int error;

static void setup(void)
{
	cr_assert_eq(config_init(&config), 0);
}

static void teardown(void)
{
	config_finish(&config);
}

TestSuite(config, .init = setup, .fini = teardown);

static size_t apply(const char *text)
{
	return config_apply(&config, NULL, text, strlen(text), &error, &line, &reason);
}

static char *listing(const struct config *of)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	config_print(of, to);
	fclose(to);
	return text;
}

Test(config, defaults_are_those_of_the_contract)
{
	static const char *const lines[] = {
		"argv [\"/bin/sh\"]\n",
		"cwd /tmp\n",
		"timeout none\nidle-timeout none\n",
		"network none\n",
		"publish none\n",
		"network-ask none\n",
		"kill-grace 150ms\n",
		"memory 512M\n",
		"processes 128\n",
		"cpu 1\n",
		"open-files 1024\n",
		"file-size none\n",
		"tmp-size 64M\n",
		"disk none\n",
		"terminals 8\n",
		"retain 64M\n",
		"overflow wait\n",
		"replies auto\n",
		"home 0\n",
		"env HOME=/home/sandbox\n",
		"env TERM=xterm-256color\n",
		"env USER=sandbox\n",
		"env LOGNAME=sandbox\n",
		"env SHELL=/bin/sh\n",
		"env LANG=C.UTF-8\n",
		"env TMPDIR=/home/sandbox/tmp\n",
		"env PWD=/tmp\n",
	};
	char *text = listing(&config);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect(strstr(text, lines[i]), "no '%s' in:\n%s", lines[i], text);
	free(text);
}

Test(config, a_listing_reads_back_to_itself)
{
	apply("command printf '%s' \"a  b\"; exit 3\nenv A=1\nenv PATH=/bin\ncwd /usr\ntimeout "
	      "1.5s\n"
	      "memory none\ncpu 0.25\nretain 1M\noverflow drop\nfile-size 3K\n");
	cr_assert_eq(error, 0, "%s", reason.text);
	char *first = listing(&config);
	config_finish(&config);
	config_init(&config);
	cr_expect_eq(apply(first), strlen(first));
	cr_expect_eq(error, 0, "%s", reason.text);
	char *second = listing(&config);
	cr_expect_str_eq(first, second);
	free(first);
	free(second);
}

static void check_reads_back(void)
{
	struct config again;
	char *first = listing(&config);
	cr_assert_eq(config_init(&again), 0);
	cr_assert_eq(config_apply(&again, NULL, first, strlen(first), &error, &line, &reason),
		     strlen(first), "line %u: %s", line, reason.text);
	char *second = listing(&again);
	cr_assert_str_eq(first, second);
	free(first);
	free(second);
	config_finish(&again);
}

Test(config, hosts_and_ports_read_back)
{
	char *text;
	apply("network names\nallow GitHub.com:22,443\nallow *.example.org\ndeny x.example.org\n"
	      "allow github.com\nallow [2001:db8::1]:443\nnetwork-ask 30s\npublish 8080,80,8080\n");
	cr_assert_eq(error, 0, "%s", reason.text);
	text = listing(&config);
	cr_expect_not_null(strstr(text, "\nnetwork names\nallow github.com:80,443\n"
					"allow *.example.org:80,443\nallow [2001:db8::1]:443\n"
					"deny x.example.org\npublish 8080,80\nnetwork-ask 30s\n"),
			   "%s", text);
	free(text);
	apply("publish none\nreset\n");
	cr_expect_eq(config.access.names.count + config.access.published_count, 0);
}

Test(config, a_path_that_ends_in_a_blank_reads_back)
{
	cr_assert_gt(apply("ro /a /\nrw /b\t/:/c\t //\n"), 0);
	cr_assert_eq(error, 0);
	cr_assert_str_eq(config.access.paths[0].outside, "/a ");
	check_reads_back();
}

Test(config, names_with_colons_and_backslashes_are_escaped)
{
	static const struct {
		const char *line, *outside, *inside, *printed;
	} rows[] = {
		{ "ro /a\\:b", "/a:b", "/a:b", "ro /a\\:b\n" },
		{ "ro /a\\:b:/c", "/a:b", "/c", "ro /a\\:b:/c\n" },
		{ "ro /a:/b\\:c", "/a", "/b:c", "ro /a:/b\\:c\n" },
		{ "ro /a:/b:c", "/a", "/b:c", "ro /a:/b\\:c\n" },
		{ "ro /a\\\\:/b", "/a\\", "/b", "ro /a\\\\:/b\n" },
		{ "ro /a\\b", "/a\\b", "/a\\b", "ro /a\\\\b\n" },
		{ "ro /a\\", "/a\\", "/a\\", "ro /a\\\\\n" },
		{ "ro /a\\040b\\012", "/a b\n", "/a b\n", "ro /a b\\012\n" },
		{ "ro /a\\000\\04\\777", "/a\\000\\04\\777", "/a\\000\\04\\777",
		  "ro /a\\\\000\\\\04\\\\777\n" },
		{ "ro /a \t", "/a", "/a", "ro /a\n" },
		{ "ro /a\\040 ", "/a ", "/a ", "ro /a\\040\n" },
		{ "ro /a /", "/a ", "/a ", "ro /a\\040\n" },
		{ "ro /a b\r", "/a b", "/a b", "ro /a b\n" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_gt(apply(rows[i].line), 0, "%s: %s", rows[i].line, reason.text);
		cr_assert_eq(config.access.path_count, 1);
		cr_expect_str_eq(config.access.paths[0].outside, rows[i].outside);
		cr_expect_str_eq(config.access.paths[0].inside, rows[i].inside);
		char *text = listing(&config);
		cr_expect(strstr(text, rows[i].printed), "%s: %s", rows[i].line, text);
		free(text);
		check_reads_back();
		apply("reset\n");
	}
}

Test(config, a_line_may_end_in_cr_and_lf)
{
	const char *text = "env A=1\r\nenv B= x \r\nmemory 64M\r\n\r\n# no\r\ncwd /usr\r\n"
			   "ends last-process\r\nargv [\"a\"]\r\ncommand echo x \r\n";
	cr_assert_eq(apply(text), strlen(text), "line %u: %s", line, reason.text);
	cr_expect_str_eq(config.command, "echo x ");
	cr_expect_str_eq(config.environ.set[0], "A=1");
	cr_expect_str_eq(config.environ.set[1], "B= x ");
	cr_expect_str_eq(config.cwd, "/usr");
	cr_expect_eq(apply("reset\r\n"), 7);
	cr_expect_null(config.command);
	check_reads_back();
}

Test(config, argv_takes_any_bytes)
{
	static const struct {
		const char *text, *argument, *printed;
	} rows[] = {
		{ "\\udcff\\udcfe", "\xff\xfe", "\\udcff\\udcfe" },
		{ "\xff|\xc3\xa9|\xed\xa0\x80", "\xff|\xc3\xa9|\xed\xa0\x80",
		  "\\udcff|\xc3\xa9|\\udced\\udca0\\udc80" },
		{ "\\udcc3\\udca9", "\xc3\xa9", "\xc3\xa9" },
		{ "\\ud83d\\ude00\\u20ac", "\xf0\x9f\x98\x80\xe2\x82\xac",
		  "\xf0\x9f\x98\x80\xe2\x82\xac" },
		{ "\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001b", "\"\\/\b\f\n\r\t\033",
		  "\\\"\\\\/\\b\\f\\n\\r\\t\\u001b" },
		{ "\xf4\x90\x80\x80\xc0\x80\xc3", "\xf4\x90\x80\x80\xc0\x80\xc3",
		  "\\udcf4\\udc90\\udc80\\udc80\\udcc0\\udc80\\udcc3" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char row[256];
		snprintf(row, sizeof(row), "argv [\"x\" , \"%s\"]", rows[i].text);
		cr_assert_gt(apply(row), 0, "%s: %s", row, reason.text);
		cr_expect_str_eq(config.argv[1], rows[i].argument);
		cr_expect_null(config.argv[2]);
		snprintf(row, sizeof(row), "argv [\"x\",\"%s\"]\n", rows[i].printed);
		char *text = listing(&config);
		cr_expect(strstr(text, row), "no %s in %s", row, text);
		free(text);
		check_reads_back();
	}
}

Test(config, as_many_variables_as_there_may_be_read_back)
{
	char text[32];
	for (int i = 0; i < 512; i++) {
		snprintf(text, sizeof(text), "env N%d=%d\n", i, i);
		cr_assert_eq(apply(text), strlen(text));
	}
	cr_assert_eq(apply("env ONE=more\n"), 0);
	cr_assert_eq(error, -E2BIG);
	check_reads_back();
}

Test(config, argv_takes_exact_arguments)
{
	apply("argv [\"printf\", \"%s|\", \"a b\", \"\", \"\\u00e9\\n\"]");
	cr_assert_eq(error, 0, "%s", reason.text);
	cr_expect_str_eq(config.argv[2], "a b");
	cr_expect_str_eq(config.argv[3], "");
	cr_expect_str_eq(config.argv[4], "\xc3\xa9\n");
	cr_expect_null(config.argv[5]);
	cr_expect_null(config.command);
}

Test(config, command_and_argv_take_each_others_place)
{
	apply("argv [\"true\"]\ncommand exit 3\n");
	cr_expect_str_eq(config.command, "exit 3");
	apply("argv [\"false\"]\n");
	cr_expect_null(config.command);
	cr_expect_str_eq(config.argv[0], "false");
}

Test(config, refused_lines_change_nothing_and_say_why)
{
	static const struct {
		const char *text;
		int error;
		const char *why;
	} rows[] = {
		{ "memroy 1G", -EINVAL, "unknown key 'memroy'" },
		{ "memory", -EINVAL, "key 'memory' has no value" },
		{ "memory x", -EINVAL, "memory 'x': malformed" },
		{ "memory 1", -ERANGE, "memory '1': out of bounds" },
		{ "timeout 0s", -ERANGE, "timeout '0s': out of bounds" },
		{ "timeout 5", -EINVAL, "timeout '5': malformed" },
		{ "kill-grace none", -EINVAL, "kill-grace 'none': malformed" },
		{ "processes 0", -ERANGE, "processes '0': out of bounds" },
		{ "cpu 0", -ERANGE, "cpu '0': out of bounds" },
		{ "command  ", -EINVAL, "has no value" },
		{ "argv []", -EINVAL, "not a JSON array of strings" },
		{ "argv {}", -EINVAL, "not a JSON array of strings" },
		{ "argv [1]", -EINVAL, "argv: element 0: not a string" },
		{ "argv [\"\"]", -EINVAL, "argv: empty command" },
		{ "argv [\"a\"", -EINVAL, "argv:" },
		{ "argv [\"a\\u0000b\"]", -EINVAL, "argv: element 0: a NUL byte" },
		{ "argv [\"a\",\"\\ud800\"]", -EINVAL, "argv: element 1: half a surrogate" },
		{ "argv [\"\\udc7f\"]", -EINVAL, "half a surrogate" },
		{ "argv [\"\\x41\"]", -EINVAL, "an unknown escape" },
		{ "argv [\"a\tb\"]", -EINVAL, "a control character" },
		{ "argv [\"a\",]", -EINVAL, "not a JSON array" },
		{ "argv \"a\"", -EINVAL, "not a JSON array" },
		{ "ro /a:b", -EINVAL, "(a ':' in a name is written \\:)" },
		{ "ro /a\\:b:c", -EINVAL, "(a ':' in a name is written \\:)" },
		{ "ro a\\:b", -EINVAL, "not an absolute path" },
		{ "argv [\"a\"] x", -EINVAL, "argv:" },
		{ "cwd tmp", -EINVAL, "cwd 'tmp': not an absolute path" },
		{ "network some", -EINVAL,
		  "network 'some': not none, names, host or tcp PORT,..." },
		{ "allow a/b", -EINVAL, "allow 'a/b': not a name, *.NAME, * or an address" },
		{ "allow a:0", -EINVAL, "allow 'a:0': ports are 1 to 65535, 16 at most" },
		{ "deny a:80", -EINVAL, "deny 'a:80': deny takes no ports" },
		{ "network-ask 25h", -ERANGE, "network-ask '25h': out of bounds" },
		{ "publish 0", -ERANGE, "publish '0': ports are 1 to 65535, 32 at most" },
		{ "publish x", -EINVAL, "publish 'x': neither none nor PORT,..." },
		{ "env A", -EINVAL, "env 'A'" },
		{ "env =1", -EINVAL, "env ''" },
		{ "env 1A=1", -EINVAL, "env '1A'" },
		{ "env LD_PRELOAD=x", -EINVAL, "env 'LD_PRELOAD'" },
		{ "env ld_Library_Path=x", -EINVAL, "env 'ld_Library_Path'" },
		{ "env BASH_ENV=x", -EINVAL, "env 'BASH_ENV'" },
		{ "env env=x", -EINVAL, "env 'env'" },
		{ "env DYLD_X=x", -EINVAL, "env 'DYLD_X'" },
		{ "overflow maybe", -EINVAL, "overflow 'maybe': neither wait nor drop" },
		{ "replies maybe", -EINVAL, "replies 'maybe': not auto, always or never" },
		{ "reset now", -EINVAL, "reset takes no value" },
	};
	char *before = listing(&config);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(apply(rows[i].text), 0, "'%s' was taken", rows[i].text);
		cr_expect_eq(error, rows[i].error, "'%s' gives %d", rows[i].text, error);
		cr_expect(strstr(reason.text, rows[i].why), "'%s' says '%s'", rows[i].text,
			  reason.text);
	}
	char *after = listing(&config);
	cr_expect_str_eq(before, after);
	free(before);
	free(after);
}

Test(config, near_misses_of_refused_names_are_taken)
{
	apply("env ENVY=1\nenv LDX=1\nenv BASH_ENVIRON=1\nenv PWD=/x\n");
	cr_expect_eq(error, 0, "%s", reason.text);
}

Test(config, lines_before_a_bad_one_have_taken_effect)
{
	cr_expect_eq(apply("memory 1G\n# a comment\n\nmemroy 2G\ncpu 2\n"), 23);
	cr_expect_eq(error, -EINVAL);
	cr_expect_eq(line, 4);
	cr_expect_eq(config.memory, UINT64_C(1) << 30);
	cr_expect_eq(config.cpu_milli, 1000);
}

Test(config, a_nul_byte_is_refused)
{
	cr_expect_eq(config_apply(&config, NULL, "cpu 2\0\n", 7, &error, &line, &reason), 0);
	cr_expect_eq(error, -EINVAL);
}

Test(config, the_last_line_needs_no_newline)
{
	cr_expect_eq(apply("\tcpu \t 2 \r\nmemory 1G"), 20);
	cr_expect_eq(config.memory, UINT64_C(1) << 30);
	cr_expect_eq(config.cpu_milli, 2000);
}

Test(config, env_replaces_by_name_and_pwd_follows_cwd)
{
	apply("env A=1\nenv A=2\ncwd /usr\n");
	const struct environ_places places = { config.cwd, config_has_home(&config) };
	char **vector = environ_vector(&config.environ, &places);
	bool two = false, pwd = false;
	for (size_t i = 0; vector[i]; i++) {
		cr_expect_str_neq(vector[i], "A=1");
		two |= strcmp(vector[i], "A=2") == 0;
		pwd |= strcmp(vector[i], "PWD=/usr") == 0;
	}
	cr_expect(two && pwd);
	environ_free_vector(vector);
}

Test(config, reset_goes_back)
{
	struct config defaults;
	config_init(&defaults);
	size_t taken = config_apply(&defaults, NULL, "cpu 3\n", 6, &error, &line, &reason);
	cr_assert_eq(taken, 6);
	apply("cpu 2\nenv A=1\ncommand x\n");
	config_apply(&config, &defaults, "reset\n", 6, &error, &line, &reason);
	cr_expect_eq(config.cpu_milli, 3000);
	cr_expect_eq(config.environ.count, 0);
	cr_expect_null(config.command);
	config_finish(&defaults);
}

/* HOME and TMPDIR follow `home`, as it is and where a path hides it, unless they were set. */
Test(config, env_follows_home)
{
	static const struct {
		const char *lines, *home, *temporary;
	} rows[] = {
		{ "", "HOME=/home/sandbox", "TMPDIR=/home/sandbox/tmp" },
		{ "home 1G\n", "HOME=/home/sandbox", "TMPDIR=/home/sandbox/tmp" },
		{ "home none\n", "HOME=/tmp", "TMPDIR=/tmp" },
		{ "home none\nhome 0\n", "HOME=/home/sandbox", "TMPDIR=/home/sandbox/tmp" },
		{ "ro /x:/home\n", "HOME=/tmp", "TMPDIR=/tmp" },
		{ "rw /home/sandbox\n", "HOME=/tmp", "TMPDIR=/tmp" },
		{ "ro /home/ann\n", "HOME=/home/sandbox", "TMPDIR=/home/sandbox/tmp" },
		{ "env HOME=/tmp\n", "HOME=/tmp", "TMPDIR=/home/sandbox/tmp" },
		{ "env HOME=/home/sandbox\nhome none\n", "HOME=/tmp", "TMPDIR=/tmp" },
		{ "home none\nenv HOME=/home/sandbox\n", "HOME=/home/sandbox", "TMPDIR=/tmp" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config_finish(&config);
		cr_assert_eq(config_init(&config), 0);
		apply(rows[i].lines);
		cr_assert_eq(error, 0, "%s", reason.text);
		char *text = listing(&config);
		char home[64], temporary[64];
		snprintf(home, sizeof(home), "\nenv %s\n", rows[i].home);
		snprintf(temporary, sizeof(temporary), "\nenv %s\n", rows[i].temporary);
		cr_expect(strstr(text, home), "%s: no %s in:\n%s", rows[i].lines, home, text);
		cr_expect(strstr(text, temporary), "%s: no %s in:\n%s", rows[i].lines, temporary,
			  text);
		free(text);
		check_reads_back();
	}
}
