/* SPDX-License-Identifier: MIT */
/* System calls made by another process, as if it had been taken over: ptrace(2). x86_64, aarch64.
 */
#ifndef INJECT_H
#define INJECT_H

#include <sys/types.h>

struct inject;

/* Stops the process, which is to be one that waits in a system call. Fails the test otherwise. */
struct inject *inject_begin(pid_t pid);
/* Has it make the call: the result, or a negative errno. */
long inject_call(struct inject *inject, long number, const long arguments[6]);
/* `text` where it can be pointed to: an address in that process, until the next one. */
long inject_text(struct inject *inject, const char *text);
/* Lets it go on with what it did. */
void inject_end(struct inject *inject);

#endif
