/* SPDX-License-Identifier: MIT */
/*
 * Listing a directory. The offset behind an entry says where to go on: 1 and 2 behind `.` and
 * `..`, from there on behind files by their ids, in whose order they come, and behind a session its
 * inode number, which holds its id. So a listing that is read in pieces neither skips nor repeats
 * what is there all the while, however many sessions come and go.
 */
#include "listing.h"

#include "dir.h"
#include "files.h"
#include "node.h"
#include "server.h"

enum { DOTS = 2, ID_SHIFT = 8, FIRST_SESSION = 1 << ID_SHIFT };
_Static_assert(DOTS + FILE_ID_MAX < FIRST_SESSION, "a file's offset is below those of sessions");

struct listing {
	struct server *server;
	fuse_req_t req;
	bool plus;
	char *to;
	size_t size, used;
};

/* False when there is no room for it. */
static bool add(struct listing *listing, const char *name, const struct node *node, uint64_t next)
{
	struct fuse_entry_param entry;
	node_entry(listing->server, node, &entry);
	char *to = listing->to + listing->used;
	size_t left = listing->size - listing->used;
	size_t taken =
		listing->plus
			? fuse_add_direntry_plus(listing->req, to, left, name, &entry, (off_t)next)
			: fuse_add_direntry(listing->req, to, left, name, &entry.attr, (off_t)next);
	if (taken > left)
		return false;
	listing->used += taken;
	return true;
}

static bool add_dots(struct listing *listing, const struct node *directory, uint64_t offset)
{
	const struct node root = { 0 };
	if (offset == 0 && !add(listing, ".", directory, 1))
		return false;
	return offset > 1 || add(listing, "..", &root, DOTS);
}

static bool add_files(struct listing *listing, const struct node *directory, uint64_t offset)
{
	const struct file *table = node_files(directory);
	uint64_t id = offset > DOTS ? offset - DOTS : 0;
	for (const struct file *file; (file = file_after(table, id)); id = file->id) {
		struct node node = { .dir = directory->dir, .file = file };
		if (file_there(file, directory->dir) &&
		    !add(listing, file->name, &node, DOTS + file->id))
			return false;
	}
	return true;
}

static void add_sessions(struct listing *listing, uint64_t id)
{
	struct mimobox_session *session;
	while ((session = mimobox_session_after(listing->server->box, id))) {
		struct node node = { .dir = dir_of(session) };
		id = mimobox_session_id(session);
		if (node.dir && !add(listing, mimobox_session_name(session), &node, id << ID_SHIFT))
			return;
	}
}

/* Behind a port the offset is its number, behind that of the dots. */
static void add_ports(struct listing *listing, const struct node *directory, uint64_t offset)
{
	const struct mimobox_session *session = directory->dir->session;
	struct node node = { .dir = directory->dir, .file = &port_file };
	char name[8];
	node.port = offset > DOTS ? (uint16_t)(offset - DOTS) : 0;
	while ((node.port = mimobox_session_port_after(session, node.port))) {
		snprintf(name, sizeof(name), "%u", node.port);
		if (!add(listing, name, &node, DOTS + (uint64_t)node.port))
			return;
	}
}

size_t listing_fill(struct server *server, fuse_req_t req, const struct node *directory,
		    uint64_t offset, bool plus, char *to, size_t size)
{
	struct listing listing = {
		.server = server, .req = req, .plus = plus, .to = to, .size = size
	};
	if (directory->dir && mimobox_session_removed(directory->dir->session))
		return 0;
	if ((offset < FIRST_SESSION || directory->file) && !add_dots(&listing, directory, offset))
		return listing.used;
	if (directory->file) { /* questions are asked, not listed */
		if (directory->file->ports)
			add_ports(&listing, directory, offset);
		return listing.used;
	}
	if (offset < FIRST_SESSION && !add_files(&listing, directory, offset))
		return listing.used;
	if (!directory->dir)
		add_sessions(&listing, offset >> ID_SHIFT);
	return listing.used;
}
