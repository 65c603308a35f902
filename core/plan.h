/* SPDX-License-Identifier: MIT */
#ifndef PLAN_H
#define PLAN_H

#include "config.h"
#include "landlock.h"
#include "paths.h"
#include "root.h"
#include "sysfilter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct plan {
	char **candidates; /* where to look for the command; owned, as are the next three */
	char **argv;
	char **envp;
	char *cwd;
	const char *changes; /* the directory for them, if there are overlays; borrowed; NULL */
	uint16_t rows, cols;
	uint64_t open_files, file_size;
	bool owner_is_root;         /* whose rights its paths are opened with */
	struct sandbox_path *paths; /* owned; the strings in it are the config's */
	unsigned path_count;
	unsigned own_paths; /* the first of them: the daemon's own, opened with its rights */
	const struct path_bound *bounds; /* of the others; borrowed */
	unsigned bound_count;            /* with the one that ends them; 0: none */
	struct in6_addr *routes;         /* owned: of hosts that are allowed by their addresses */
	unsigned route_count;
	struct landlock_policy landlock; /* the caller puts its version in */
	struct landlock_rule *rules;     /* owned: what `landlock` borrows */
	struct sysfilter filter;         /* borrowed */
	size_t image_size;               /* of a mapped one */
};

/*
 * Takes what it needs of `config`, and borrows its paths and ports; `extra` are further paths of
 * the session's own. For a sealed sandbox, which has its policy, `layout` is NULL. 0 or -ENOMEM.
 */
int plan_init(struct plan *plan, const struct config *config, const struct root_layout *layout,
	      const struct sandbox_path *extra, unsigned extra_count);
void plan_finish(struct plan *plan);

/* Its image: a descriptor, the caller's to close, or -errno. */
int plan_pack(const struct plan *plan);

/* In the sandbox; async-signal-safe. NULL: no memory. plan_finish() is not for such a one. */
struct plan *plan_map(int fd);
void plan_unmap(struct plan *plan);

#endif
