/* SPDX-License-Identifier: MIT */
/*
 * The command line. Each option of our own has a long form (--spool DIR) and an -o form
 * (-o spool=DIR), and both come through one table. What -o has beyond these is for the mount and
 * is judged by libfuse (mount.c); what mount(8) adds for its own use is left out here.
 *
 * mount.fuse3 calls us with two names, `SOURCE MOUNTPOINT`; the source means nothing to us.
 */
#include "options.h"

#include "report.h"

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

#include <errno.h>
#include <getopt.h>
#include <identity.h>
#include <limits.h>
#include <mimobox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL_DEFAULT = 4, POOL_MAX = 1000, PATIENCE_MAX = 86400 };

/* Options with a value, each with a long form and an -o form. */
struct valued {
	const char *name;
	const char *value; /* as the help calls it */
	const char *help;
	int (*set)(struct options *options, const char *value);
};

static int set_text(char **to, const char *value)
{
	if (!*value)
		return -EINVAL;
	char *copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int set_defaults(struct options *options, const char *value)
{
	return set_text(&options->defaults, value);
}

static int set_ceiling(struct options *options, const char *value)
{
	return set_text(&options->ceiling, value);
}

static int set_spool(struct options *options, const char *value)
{
	return set_text(&options->spool, value);
}

static int set_workspaces(struct options *options, const char *value)
{
	return set_text(&options->workspaces, value);
}

static int set_number(unsigned *to, const char *value, unsigned long most)
{
	unsigned long number = 0;
	if (!*value)
		return -EINVAL;
	for (const char *digit = value; *digit; digit++) {
		if (*digit < '0' || *digit > '9')
			return -EINVAL;
		number = 10 * number + (unsigned long)(*digit - '0');
		if (number > most)
			return -ERANGE;
	}
	*to = (unsigned)number;
	return 0;
}

static int set_max_sessions(struct options *options, const char *value)
{
	int error = set_number(&options->max_sessions, value, UINT_MAX);
	return error == 0 && options->max_sessions == 0 ? -EINVAL : error;
}

static int set_pool(struct options *options, const char *value)
{
	return set_number(&options->pool, value, POOL_MAX);
}

static int set_patience(struct options *options, const char *value)
{
	int error = set_number(&options->patience, value, PATIENCE_MAX);
	return error == 0 && options->patience == 0 ? -EINVAL : error;
}

static int set_ids(struct options *options, const char *value)
{
	return identity_parse_range(value, &options->first_id, &options->last_id);
}

static int set_keeper(struct options *options, const char *value)
{
	options->keeper = strcmp(value, "yes") == 0;
	return options->keeper || strcmp(value, "no") == 0 ? 0 : -EINVAL;
}

static const struct valued valued[] = {
	{ "defaults", "FILE", "config text that new sessions start from", set_defaults },
	{ "ceiling", "FILE", "the most that others than root may ask for (see the README)",
	  set_ceiling },
	{ "spool", "DIR", "where output is kept, in unlinked files (/var/tmp)", set_spool },
	{ "workspaces", "DIR", "where each session's /workspace is (see the README)",
	  set_workspaces },
	{ "max-sessions", "N", "how many sessions there may be at a time", set_max_sessions },
	{ "pool", "N", "how many sandboxes are built ahead, up to 1000 (4)", set_pool },
	{ "patience", "SECONDS", "how long a helper process may take for one task (60)",
	  set_patience },
	{ "ids", "FIRST-LAST", "ids of root's sessions (2013265920-2147352575)", set_ids },
	{ "keeper", "yes|no", "whether sessions outlive a server that is killed (yes)",
	  set_keeper },
};
enum { VALUED = sizeof(valued) / sizeof(valued[0]) };

/* What mount(8) and fstab use for themselves. */
static const char *const ignored[] = {
	"",      "defaults", "auto",  "noauto", "user",    "nouser",
	"users", "owner",    "group", "nofail", "_netdev",
};

static bool set_valued(struct options *options, const struct valued *option, const char *value)
{
	int error = option->set(options, value);
	if (error == -ENOMEM)
		report("out of memory");
	else if (error < 0)
		report("wrong value '%s' for %s: it takes %s, %s", value, option->name,
		       option->value, option->help);
	return error == 0;
}

static bool is_ignored(const char *word)
{
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (strcmp(word, ignored[i]) == 0)
			return true;
	return strncmp(word, "x-", 2) == 0 || strncmp(word, "X-", 2) == 0 ||
	       strncmp(word, "comment=", 8) == 0;
}

static bool pass_on(struct options *options, const char *word)
{
	char *more = NULL;
	if (asprintf(&more, "%s%s%s", options->mount ? options->mount : "",
		     options->mount ? "," : "", word) < 0) {
		report("out of memory");
		return false;
	}
	free(options->mount);
	options->mount = more;
	return true;
}

static bool take_word(struct options *options, const char *word)
{
	if (is_ignored(word))
		return true;
	for (size_t i = 0; i < VALUED; i++) {
		size_t length = strlen(valued[i].name);
		if (strncmp(word, valued[i].name, length) == 0 && word[length] == '=')
			return set_valued(options, &valued[i], word + length + 1);
		if (strcmp(word, valued[i].name) == 0) {
			report("-o %s needs a value: %s=%s", word, word, valued[i].value);
			return false;
		}
	}
	if (strncmp(word, "max_read", 8) == 0) { /* see SERVER_ANSWER_MAX */
		report("-o max_read is not to be had here");
		return false;
	}
	if (strncmp(word, "subtype", 7) == 0) { /* sandboxes know it by that */
		report("-o subtype is not to be had here");
		return false;
	}
	if (strcmp(word, "debug") == 0) {
		options->trace = options->foreground = true;
		return true;
	}
	return pass_on(options, word);
}

/* The words of an -o; a comma after a backslash is part of its word, as libfuse has it. */
static bool take_words(struct options *options, const char *words)
{
	char *copy = strdup(words);
	if (!copy) {
		report("out of memory");
		return false;
	}
	bool good = true;
	char *word = copy;
	for (char *at = copy; good && word; at++) {
		if (*at == '\\' && at[1]) {
			at++;
		} else if (*at == ',' || !*at) {
			bool last = !*at;
			*at = '\0';
			good = take_word(options, word);
			word = last ? NULL : at + 1;
		}
	}
	free(copy);
	return good;
}

static bool take_names(struct options *options, char **names, int count)
{
	if (count < 1) {
		report("no mount point given; see mimoboxfs --help");
		return false;
	}
	if (count > 2) {
		report("too many names: '%s'; see mimoboxfs --help", names[2]);
		return false;
	}
	if (!*names[count - 1]) {
		report("the mount point is an empty name");
		return false;
	}
	options->mountpoint = strdup(names[count - 1]);
	if (!options->mountpoint)
		report("out of memory");
	return options->mountpoint != NULL;
}

enum { HELP = 'h', VERSION = 'V', FIRST_VALUED = 256, DUMP = 1024, REPLACE, CHECK };

static void fill_long_options(struct option *to)
{
	*to++ = (struct option){ "help", no_argument, NULL, HELP };
	*to++ = (struct option){ "version", no_argument, NULL, VERSION };
	*to++ = (struct option){ "dump-seccomp", required_argument, NULL, DUMP };
	*to++ = (struct option){ "replace", no_argument, NULL, REPLACE };
	*to++ = (struct option){ "check", no_argument, NULL, CHECK };
	for (int i = 0; i < VALUED; i++)
		*to++ = (struct option){ valued[i].name, required_argument, NULL,
					 FIRST_VALUED + i };
	*to = (struct option){ 0 };
}

static void report_wrong(int result, char **argv)
{
	if (result == ':')
		report("option '%s' needs a value; see mimoboxfs --help", argv[optind - 1]);
	else if (optopt > 0 && optopt < FIRST_VALUED && strncmp(argv[optind - 1], "--", 2) != 0)
		report("unknown option '-%c'; see mimoboxfs --help", optopt);
	else
		report("unknown option '%s'; see mimoboxfs --help", argv[optind - 1]);
}

/* getopt_long(3) has an order of its own. */
static bool keep_command_line(struct options *options, int argc, char **argv)
{
	options->command_line = calloc((size_t)argc + 1, sizeof(*argv));
	if (options->command_line)
		memcpy(options->command_line, argv, (size_t)argc * sizeof(*argv));
	else
		report("out of memory");
	return options->command_line != NULL;
}

static enum options_result take_rest(struct options *options, int argc, char **argv)
{
	if (options->replace && argc != 3) {
		report("--replace takes a mount point, and nothing else; see mimoboxfs --help");
		return OPTIONS_WRONG;
	}
	if (options->check && optind < argc) {
		report("--check takes no mount point; see mimoboxfs --help");
		return OPTIONS_WRONG;
	}
	if (options->check)
		return OPTIONS_CHECK;
	if (!take_names(options, argv + optind, argc - optind))
		return OPTIONS_WRONG;
	return options->replace ? OPTIONS_REPLACE : OPTIONS_SERVE;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	*options = (struct options){ .pool = POOL_DEFAULT, .keeper = true };
	struct option longs[VALUED + 6];
	if (!keep_command_line(options, argc, argv))
		return OPTIONS_WRONG;
	fill_long_options(longs);
	opterr = 0;
	int option;
	while ((option = getopt_long(argc, argv, ":fdhVo:", longs, NULL)) != -1) {
		bool good = true;
		if (option == HELP)
			return OPTIONS_HELP;
		if (option == VERSION)
			return OPTIONS_VERSION;
		if (option == DUMP && set_text(&options->dump, optarg) == 0)
			return OPTIONS_DUMP;
		if (option == 'f')
			options->foreground = true;
		else if (option == 'd')
			options->foreground = options->trace = true;
		else if (option == REPLACE)
			options->replace = true;
		else if (option == CHECK)
			options->check = true;
		else if (option == 'o')
			good = take_words(options, optarg);
		else if (option >= FIRST_VALUED && option < DUMP)
			good = set_valued(options, &valued[option - FIRST_VALUED], optarg);
		else if (option == DUMP) {
			report("unknown profile '%s'; see mimoboxfs --help", optarg);
			good = false;
		} else {
			report_wrong(option, argv);
			good = false;
		}
		if (!good)
			return OPTIONS_WRONG;
	}
	return take_rest(options, argc, argv);
}

static bool make_absolute(char **path)
{
	char *here, *whole;
	if (!*path || **path == '/')
		return true;
	here = getcwd(NULL, 0);
	if (!here || asprintf(&whole, "%s/%s", here, *path) < 0) {
		report("cannot use %s: %s", *path, strerror(errno));
		free(here);
		return false;
	}
	free(here);
	free(*path);
	*path = whole;
	return true;
}

bool options_make_absolute(struct options *options)
{
	return make_absolute(&options->spool) && make_absolute(&options->workspaces);
}

/*
 * Other users can make names in /var/tmp too: the library checks that the workspaces there are the
 * user's own.
 */
void options_for_box(const struct options *options, char workspaces[64],
		     struct mimobox_options *out)
{
	if (geteuid() == 0)
		snprintf(workspaces, 64, "/var/lib/mimobox/workspaces");
	else
		snprintf(workspaces, 64, "/var/tmp/mimobox-%u", (unsigned)geteuid());
	*out = (struct mimobox_options){
		.spool_dir = options->spool ? options->spool : "/var/tmp",
		.workspaces = options->workspaces ? options->workspaces : workspaces,
		.defaults = options->defaults_text,
		.ceiling = options->ceiling_text,
		.max_sessions = options->max_sessions,
		.pool = options->pool,
		.first_id = options->first_id,
		.last_id = options->last_id,
		.patience_ns = options->patience * UINT64_C(1000000000),
	};
}

void options_finish(struct options *options)
{
	free(options->mountpoint);
	free(options->defaults);
	free(options->ceiling);
	free(options->spool);
	free(options->workspaces);
	free(options->dump);
	free(options->defaults_text);
	free(options->ceiling_text);
	free(options->mount);
	free(options->command_line);
	*options = (struct options){ 0 };
}

void options_print_help(void)
{
	printf("usage: mimoboxfs [options] MOUNTPOINT\n"
	       "Sandboxed terminal sessions as directories: mkdir makes one, rmdir ends it.\n"
	       "\n"
	       "  -f                 stay in the foreground\n"
	       "  -d                 stay in the foreground and trace requests\n"
	       "  -o OPTION,...      mount options; those below too, as NAME=VALUE\n");
	for (size_t i = 0; i < VALUED; i++) {
		char form[32];
		snprintf(form, sizeof(form), "--%s %s", valued[i].name, valued[i].value);
		printf("  %-18s %s\n", form, valued[i].help);
	}
	printf("  --dump-seccomp PROFILE  the filter of strict, essential, network or compat,\n"
	       "                     raw, on standard output (for scmp_bpf_disasm)\n"
	       "  --check            try what a mount needs, and print what the machine has and\n"
	       "                     lacks, one line each, on standard output\n"
	       "  --replace          have the mimoboxfs at MOUNTPOINT be this program, with the\n"
	       "                     options that it has; sessions go on\n"
	       "  --help             this text\n"
	       "  --version          the version\n"
	       "\n"
	       "End it with: fusermount3 -u MOUNTPOINT (or umount MOUNTPOINT, or SIGTERM).\n"
	       "Exit status: 0; 1 another try may succeed; 2 a wrong option; 3 this machine\n"
	       "lacks something.\n");
}

void options_print_version(void)
{
	printf("mimoboxfs %s (libfuse %s)\n", MIMOBOX_VERSION, fuse_pkgversion());
}
