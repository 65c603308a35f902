/* SPDX-License-Identifier: MIT */
/* The workers of a session's files `network` and `asks`. */
#ifndef FILES_NETWORK_H
#define FILES_NETWORK_H

#include <stdio.h>
#include <sys/types.h>

struct handle;
struct request;

int network_show(const struct handle *handle, FILE *to);
ssize_t network_write(struct request *request);
int asks_open(struct handle *handle);
ssize_t asks_read(struct request *request);
unsigned asks_poll(struct handle *handle);

#endif
