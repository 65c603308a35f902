/* SPDX-License-Identifier: MIT */
/* A project to try things on: a directory that a session sees as an overlay, at its own path. */
#ifndef PROJECT_H
#define PROJECT_H

/*
 * The lines of config for it, the caller's to free; NULL and errno. What git runs, or is told by,
 * is read-only: .git/hooks and .git/config, of the repository that a worktree belongs to as well.
 */
char *project_config(const char *directory);

#endif
