/* SPDX-License-Identifier: MIT */
/*
 * What a machine refuses to a sandbox, why, and what to do about it. The reasons are guessed from
 * what failed and from files of /proc and /run, so this is for a process that may read them: the
 * daemon before it gives up its rights.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "sandbox.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether an error (negative errno) is a refusal, which the next try meets too. False: 0, a
 * shortage, or something that took too long.
 */
bool machine_refuses(int error);
bool machine_refuses_start(const struct start_report *report);

/* Each writes one sentence that says what to do; "" where nothing is known. */
void machine_advise(const struct start_report *report, char *text, size_t size);
void machine_advise_mount(char *text, size_t size);
void machine_advise_device(int error, char *text, size_t size);
/* Where landlock_abi() gives `abi`, and that is an error. */
void machine_advise_landlock(int abi, char *text, size_t size);
/* Of limits, where cgroups can enforce only `can` (CGROUP_MEMORY, ...). */
void machine_advise_limits(unsigned can, char *text, size_t size);
/* False: this process's user namespace has ids for sessions, or the user is not root. */
bool machine_advise_ids(char *text, size_t size);
/*
 * Whether crashes go to a socket of the host's (kernel.core_pattern, Linux 6.16), whatever
 * RLIMIT_CORE says, and its name.
 */
bool machine_core_socket(char *path, size_t size);

#endif
