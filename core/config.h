/* SPDX-License-Identifier: MIT */
/*
 * A session's policy as data: what `config` and `defaults` say, parsed. Built in the parent; the
 * sandbox is made from it and changes nothing of it.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "access.h"
#include "environ.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum overflow { OVERFLOW_WAIT, OVERFLOW_DROP };

/* Whether the session answers a program that asks its terminal: auto is where no client does. */
enum replies_by { REPLIES_AUTO, REPLIES_ALWAYS, REPLIES_NEVER };

/* Limits are UNITS_NONE where there is none. */
struct config {
	char *command; /* for /bin/sh -c; or NULL */
	char **argv;   /* NULL-terminated, used where there is no command; never NULL */
	struct environ environ;
	char *cwd;
	uint64_t timeout_ns, idle_timeout_ns, kill_grace_ns;
	uint64_t memory;    /* bytes */
	uint64_t processes; /* count, the sandbox's init not included */
	uint64_t cpu_milli; /* thousandths of a core */
	uint64_t open_files;
	uint64_t file_size; /* bytes */
	uint64_t tmp_size;  /* bytes */
	uint64_t disk;      /* bytes of workspace, home and changes of overlays */
	uint64_t home;      /* bytes that are free for it at the start; UNITS_NONE: there is none */
	uint64_t terminals; /* count, the session's own included */
	uint64_t retain;    /* bytes */
	enum overflow overflow;
	enum replies_by replies;
	bool terminal;          /* else pipes */
	bool ends_with_command; /* else with the last process */
	char *in; /* the session in whose sandbox it is; NULL: its own. Much of the rest is that
		     one's */
	struct access access;
	uint64_t ask_ns; /* that a name waits for an answer: the network's */
};

/* One line that says why a line was refused. */
struct reason {
	char text[256];
};

/* The built-in defaults. 0 or -ENOMEM. */
int config_init(struct config *config);
int config_copy(struct config *to, const struct config *from);
void config_finish(struct config *config);

/* Whether it has its home on disk: it asks for one, and no path of its own hides it. */
bool config_has_home(const struct config *config);
/* Whether `config` has the key. */
bool config_has_key(const char *name);
/*
 * One key, or `reset` with an empty value, which goes back to `defaults` (NULL: the built-in
 * ones). 0, or -errno and why, and nothing is changed.
 */
int config_set(struct config *config, const struct config *defaults, const char *name,
	       const char *value, struct reason *reason);

/* What is done with a line; as config_set(). Comments and empty lines are left out. */
typedef int (*config_line_fn)(void *data, const char *name, const char *value,
			      struct reason *reason);
/* Splits a text into its lines, until one is refused; the results are config_apply()'s. */
size_t config_read(const char *text, size_t size, config_line_fn take, void *data, int *error,
		   unsigned *line, struct reason *reason);

/*
 * Takes `key value` lines over `config`; `reset` goes back to `defaults` (NULL: the built-in
 * ones). Returns the bytes taken. Where that is less than `size`, the line that begins there was
 * refused: *error is its errno (EINVAL, ERANGE, E2BIG, ENOMEM), *line its number from 1, *reason
 * why.
 */
size_t config_apply(struct config *config, const struct config *defaults, const char *text,
		    size_t size, int *error, unsigned *line, struct reason *reason);

/* Every key with its effective value, in the syntax that config_apply() takes. */
void config_print(const struct config *config, FILE *to);
/*
 * For people, who change the text and write it back: it begins with `reset`, so that a key whose
 * line they delete is at its default again.
 */
void config_print_whole(const struct config *config, FILE *to);

#endif
