/* SPDX-License-Identifier: MIT */
#ifndef FILES_H
#define FILES_H

#include "lines.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct dir;
struct handle;
struct request;

/*
 * A file is one row. It can be read by `show` or `read`, and written by `take` or `write`; or it
 * is a symbolic link, and has nothing but `link`.
 */
struct file {
	/*
	 * The kernel knows the file by it, in inode numbers, and so do the records of open handles,
	 * both of which outlive this program. So no two files have the same one, and none has that
	 * of another, past or present. 1 is the root directory's.
	 */
	uint8_t id;
	const char *name; /* NULL ends a table */
	mode_t mode;
	unsigned event; /* that may change what `poll` says */
	/* The whole text, made anew for each read from offset 0. */
	/* 0, -errno, or -EINPROGRESS: a piece of the work was done, call again. */
	int (*show)(const struct handle *handle, FILE *to);
	ssize_t (*read)(struct request *request); /* a worker, see request.h */
	lines_take_fn take;                       /* lines that may come in pieces */
	ssize_t (*write)(struct request *request);
	/* Of a write that waits: what has taken effect, and -EAGAIN: nothing has, nor will. */
	ssize_t (*withdraw)(const struct request *request);
	int (*open)(struct handle *handle); /* 0 or -errno */
	void (*close)(struct handle *handle);
	/* What stat says (NULL: 0, as in /proc); handle: NULL where the file is not open. */
	uint64_t (*size)(const struct dir *dir, const struct handle *handle);
	/* POLLIN and so on, as it is now (NULL: always ready). */
	unsigned (*poll)(struct handle *handle);
	bool directory; /* of questions, see question.h; it has nothing else */
	bool ports;     /* a directory of sockets, which are port_file */
	bool socket;
	const char *(*link)(const struct dir *dir); /* where it leads now; NULL: nowhere */
	bool (*there)(const struct dir *dir);       /* whether it is there (NULL: always) */
};

extern const struct file root_files[], session_files[], port_file;

/* A listing's offsets have room for these, see listing.c. */
enum { FILE_ID_MIN = 2, FILE_ID_MAX = 253 };

/* By its name in one of the tables; NULL: none. */
const struct file *file_find(const struct file *table, const char *name);
/* By its id; NULL: none. */
const struct file *file_by_id(const struct file *table, uint64_t id);
/* The one with the next id above that; NULL: none. */
const struct file *file_after(const struct file *table, uint64_t id);

bool file_there(const struct file *file, const struct dir *dir);
mode_t file_type(const struct file *file);
/* The permission bits that it may have: what it can do at all, for all. */
mode_t file_most_mode(const struct file *file);
bool file_readable(const struct file *file);
bool file_writable(const struct file *file);

/* For workers: as much of `text` as is asked for. */
ssize_t file_give(struct request *request, const char *text, size_t size);

/*
 * Frees the handle's text. A read that goes on in it has it made once more, and gets ESTALE if it
 * is another by then.
 */
void file_drop_text(struct handle *handle);

/* The workers of every read and write. */
ssize_t file_read(struct request *request);
ssize_t file_write(struct request *request);

#endif
