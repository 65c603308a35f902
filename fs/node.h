/* SPDX-License-Identifier: MIT */
#ifndef NODE_H
#define NODE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct dir;
struct file;
struct fuse_entry_param;
struct handle;
struct question;
struct server;

/*
 * What an inode number stands for: the root (all NULL), a session, a file of either, a question,
 * whose file is question_file, or the socket of a port, whose file is port_file.
 */
struct node {
	struct dir *dir;
	const struct file *file;
	struct question *question;
	uint16_t port; /* 0: it is none */
};

/* The number of a port, as a name has it; 0: it is none. */
uint16_t node_port(const char *name);

uint64_t node_number(const struct node *node);

/*
 * 0, -ENOENT where the session is gone, or -ESTALE for a question that was forgotten. `dir` is
 * borrowed.
 */
int node_find(struct server *server, uint64_t number, struct node *out);

/* By its name in a directory. 0, -ENOENT or -ENOTDIR. */
int node_lookup(struct server *server, const struct node *parent, const char *name,
		struct node *out);

/* The kernel has forgotten so many of the look-ups that gave it this number. */
void node_forget(struct server *server, uint64_t number, uint64_t lookups);

/* What is listed in a directory besides its sessions. */
const struct file *node_files(const struct node *directory);

/* handle: NULL where the node is not open. */
void node_attributes(struct server *server, const struct node *node, const struct handle *handle,
		     struct stat *out);
/* For how long the kernel may take the attributes as they are, in seconds. */
double node_attributes_hold(const struct node *node);

/* What a look-up is answered with. */
void node_entry(struct server *server, const struct node *node, struct fuse_entry_param *out);

#endif
