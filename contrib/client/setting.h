/* SPDX-License-Identifier: MIT */
/* A key and a value from the command line, as one line of a session's config. */
#ifndef SETTING_H
#define SETTING_H

#include <stdbool.h>

/* Nothing in them would end the line, or be cut from it. A tab may be a part of a value. */
bool setting_is_line(const char *key, const char *value);
/*
 * The line, the caller's to free. A relative path of the host's, and a relative cwd, is taken from
 * where the client is. NULL and errno.
 */
char *setting_line(const char *key, const char *value);

#endif
