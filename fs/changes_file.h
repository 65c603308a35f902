/* SPDX-License-Identifier: MIT */
/* The file `changes`, and the verbs of `ctl` that are about what it lists. */
#ifndef CHANGES_FILE_H
#define CHANGES_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct handle;
struct request;

ssize_t changes_read(struct request *request);
void changes_close(struct handle *handle);

bool changes_is_verb(const char *verb, size_t size);
/* As a worker's step, see lines.h. */
int changes_verb(struct request *request, const char *verb, size_t size);

#endif
