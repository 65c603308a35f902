/* SPDX-License-Identifier: MIT */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

enum options_result {
	OPTIONS_SERVE,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_DUMP,
	OPTIONS_REPLACE,
	OPTIONS_CHECK,
	OPTIONS_WRONG, /* reported */
};

struct options {
	char *mountpoint;
	char *defaults;                     /* a file; NULL: none */
	char *ceiling;                      /* a file; NULL: none */
	char *spool;                        /* a directory; NULL: the library's choice */
	char *workspaces;                   /* a directory; NULL: the default */
	char *dump;                         /* for OPTIONS_DUMP: the name of a profile */
	char *defaults_text, *ceiling_text; /* what was read there; NULL */
	unsigned max_sessions;              /* 0: no limit */
	bool metrics_sessions;              /* `metrics` tells of each session */
	unsigned pool;                      /* sandboxes built ahead */
	unsigned first_id, last_id;         /* of root's sessions; 0: the library's choice */
	unsigned patience;                  /* seconds, with a helper; 0: the library's choice */
	bool keeper;                        /* a process that outlives the server */
	bool foreground;
	bool trace;
	bool replace;        /* the program of the one that is there */
	bool check;          /* what a mount would meet, without one */
	char **command_line; /* as it was given */
	char *mount; /* what else -o had, comma-separated, for libfuse to judge; NULL: nothing */
};

/* Fills `options`, which is to be finished whatever the result is. */
enum options_result options_parse(struct options *options, int argc, char **argv);
/* Of directories that have to be found from another, later; false: reported. */
bool options_make_absolute(struct options *options);
void options_finish(struct options *options);

struct mimobox_options;
/* Fills those of the library that come from the command line; what it points to is borrowed. */
void options_for_box(const struct options *options, char workspaces[64],
		     struct mimobox_options *out);

/* On standard output. */
void options_print_help(void);
void options_print_version(void);

#endif
