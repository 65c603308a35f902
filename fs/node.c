/* SPDX-License-Identifier: MIT */
/*
 * Inode numbers. A number is a session's id and, in the low byte, 0 for its directory or the id of
 * a file. Those of the root have no session's: their ids begin above 1, which is FUSE's root.
 *
 * Ids are never used again, so neither are the numbers, and no table of what the kernel
 * remembers is needed: a number whose session is gone is simply not found. Questions have a
 * half of the numbers to themselves, in the order of asking.
 *
 * The kernel may keep for good what changes only by its own requests: names go by rmdir alone, a
 * directory's owner stays and its mode changes by chmod. So a path costs it no question. What
 * changes without it, a file's time and size and what depends on the config, it asks for each time.
 */
#include "node.h"

#include "dir.h"
#include "files.h"
#include "handle.h"
#include "question.h"
#include "server.h"

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

#include <errno.h>
#include <string.h>

enum { BITS = 8 };
#define QUESTION (UINT64_C(1) << 63)
#define PORT (UINT64_C(1) << 62)
enum { PORT_BITS = 16 };
#define FOR_GOOD 1e9 /* seconds */
/* Long enough from a look-up to the opening that it is for, which would ask for them once more. */
#define FOR_NOW 5e-3

const struct file *node_files(const struct node *directory)
{
	return directory->dir ? session_files : root_files;
}

uint64_t node_number(const struct node *node)
{
	if (!node->dir)
		return node->file ? node->file->id : FUSE_ROOT_ID;
	if (node->question)
		return QUESTION | node->question->number;
	if (node->port)
		return PORT | mimobox_session_id(node->dir->session) << PORT_BITS | node->port;
	return mimobox_session_id(node->dir->session) << BITS | (node->file ? node->file->id : 0);
}

static struct dir *find_dir(struct server *server, uint64_t id)
{
	struct mimobox_session *session = mimobox_session_by_id(server->box, id);
	return session ? dir_of(session) : NULL;
}

static int find_question(struct server *server, uint64_t number, struct node *out)
{
	out->question = question_find(server, number & ~QUESTION);
	out->file = &question_file;
	out->dir = out->question ? out->question->dir : NULL;
	return out->question ? 0 : -ESTALE; /* the kernel looks the name up once more */
}

void node_forget(struct server *server, uint64_t number, uint64_t lookups)
{
	if (number & QUESTION)
		question_forget(server, number & ~QUESTION, lookups);
}

static int find_port(struct server *server, uint64_t number, struct node *out)
{
	out->dir = find_dir(server, number >> PORT_BITS);
	out->file = &port_file;
	out->port = (uint16_t)number;
	return out->dir ? 0 : -ENOENT;
}

uint16_t node_port(const char *name)
{
	unsigned long number = 0;
	if (*name == '0' || strlen(name) > 5)
		return 0;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		number = 10 * number + (unsigned long)(*name - '0');
	}
	return number > UINT16_MAX ? 0 : (uint16_t)number;
}

static int look_up_port(const struct node *parent, const char *name, struct node *out)
{
	out->file = &port_file;
	out->port = node_port(name);
	bool is_there = out->port && mimobox_session_port_is_bound(parent->dir->session, out->port);
	return is_there ? 0 : -ENOENT;
}

int node_find(struct server *server, uint64_t number, struct node *out)
{
	*out = (struct node){ 0 };
	if (number & QUESTION)
		return find_question(server, number, out);
	if (number & PORT)
		return find_port(server, number & ~PORT, out);
	if (number == FUSE_ROOT_ID)
		return 0;
	uint64_t session = number >> BITS, file = number & ((1u << BITS) - 1);
	out->dir = session ? find_dir(server, session) : NULL;
	if (session && !out->dir)
		return -ENOENT;
	if (session && file == 0)
		return 0;
	out->file = file_by_id(node_files(out), file);
	return out->file ? 0 : -ENOENT;
}

int node_lookup(struct server *server, const struct node *parent, const char *name,
		struct node *out)
{
	*out = (struct node){ .dir = parent->dir };
	if (parent->file && !parent->file->directory)
		return -ENOTDIR;
	if (parent->dir && mimobox_session_removed(parent->dir->session))
		return -ENOENT;
	if (parent->file && parent->file->ports)
		return look_up_port(parent, name, out);
	if (parent->file) {
		out->file = &question_file;
		return question_look_up(parent->dir, name, &out->question);
	}
	out->file = file_find(node_files(parent), name);
	if (out->file)
		return file_there(out->file, parent->dir) ? 0 : -ENOENT;
	if (parent->dir)
		return -ENOENT;
	struct mimobox_session *session = mimobox_session_find(server->box, name);
	out->dir = session ? dir_of(session) : NULL;
	return out->dir ? 0 : -ENOENT;
}

static void root_attributes(const struct server *server, const struct node *node, struct stat *out)
{
	out->st_uid = server->uid;
	out->st_gid = server->gid;
	out->st_atim = out->st_mtim = out->st_ctim = server->changed;
	if (!node->file) {
		out->st_mode = S_IFDIR | server->mode;
		out->st_nlink = 2 + mimobox_session_count(server->box);
	}
}

/* A question's are those of the directory that it is in, but for what only a directory needs. */
static void file_rights(const struct node *node, struct stat *out)
{
	const struct file *file = node->question ? file_find(session_files, "wait") : node->file;
	const struct dir_rights *rights = node->dir ? dir_rights_of(node->dir, file) : NULL;
	mode_t mode = rights ? rights->mode : file->mode;
	out->st_mode |= node->question ? mode & file_most_mode(node->file) : mode;
	if (rights)
		out->st_gid = rights->gid;
}

static void session_attributes(const struct node *node, struct stat *out)
{
	const struct mimobox_session *session = node->dir->session;
	bool removed = mimobox_session_removed(session);
	out->st_uid = mimobox_session_uid(session);
	out->st_gid = mimobox_session_gid(session);
	mimobox_session_times(session, &out->st_atim, &out->st_mtim);
	if (!node->file) {
		out->st_mode = S_IFDIR | node->dir->mode;
		out->st_mtim = out->st_atim;
		out->st_gid = node->dir->gid;
	}
	out->st_ctim = out->st_mtim;
	out->st_nlink = removed ? 0 : S_ISDIR(out->st_mode) ? 2 : 1;
}

void node_attributes(struct server *server, const struct node *node, const struct handle *handle,
		     struct stat *out)
{
	*out = (struct stat){ .st_ino = node_number(node), .st_blksize = 4096, .st_nlink = 1 };
	if (node->file) {
		out->st_mode = file_type(node->file);
		out->st_size = node->file->size ? (off_t)node->file->size(node->dir, handle) : 0;
		out->st_blocks = (out->st_size + 511) / 512;
	}
	if (node->dir)
		session_attributes(node, out);
	else
		root_attributes(server, node, out);
	if (node->file)
		file_rights(node, out);
}

double node_attributes_hold(const struct node *node)
{
	if (!node->file)
		return FOR_GOOD;
	return node->file->size || node->question ? 0 : FOR_NOW;
}

void node_entry(struct server *server, const struct node *node, struct fuse_entry_param *out)
{
	bool stays = !node->question && !node->port && !(node->file && node->file->there);
	*out = (struct fuse_entry_param){
		.ino = node_number(node),
		.attr_timeout = node_attributes_hold(node),
		.entry_timeout = stays ? FOR_GOOD : 0,
	};
	node_attributes(server, node, NULL, &out->attr);
}
