/* SPDX-License-Identifier: MIT */
/* One file of an overlay's upper layer: what it is beside the host's, and a copy of it. */
#ifndef COPY_H
#define COPY_H

#include <stdbool.h>
#include <sys/stat.h>

/* A file by its directory and its name there. */
struct place {
	int directory;
	const char *name;
};

/* Opens the file, if it is a regular one or a directory, without following a link. */
int copy_open(struct place place, mode_t type);

/* Whether a mode of the upper layer is that of the host: bits that apply drops are as good there.
 */
bool copy_same_mode(mode_t upper, mode_t host);
/* A mode as apply carries it: without set-ID bits, but that of a directory's group. */
mode_t copy_mode(mode_t upper);

/*
 * Two files of one type that are no directories: 1 if content, mode, time of change or attributes
 * differ, else 0; or -errno.
 */
int copy_differs(struct place upper, const struct stat *one, struct place host,
		 const struct stat *other);
/* Likewise of two directories: mode and attributes. */
int copy_directory_differs(int upper, const struct stat *one, int host, const struct stat *other);

/* Makes a copy that was not there, of anything but a directory. 0 or -errno. */
int copy_make(struct place from, const struct stat *status, struct place to);
/* Gives a directory the mode and attributes of another. 0 or -errno. */
int copy_directory(int from, const struct stat *status, int to);

#endif
