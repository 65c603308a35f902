/* SPDX-License-Identifier: MIT */
/*
 * The FUSE operations. Each is a thin handler that replies exactly once, over a worker that
 * returns 0 or -errno; reads and writes go through request.c, since they may wait.
 *
 * Every file is direct_io, and of names and attributes the kernel keeps only what cannot change
 * without it (see node.c), so what it shows is what is so now. Permissions are its to check
 * (default_permissions) against the owners and modes that we give.
 */
#include "ops.h"

#include "again.h"
#include "dir.h"
#include "files.h"
#include "handle.h"
#include "kept.h"
#include "label_ops.h"
#include "listing.h"
#include "node.h"
#include "reply.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <keep.h>
#include <poll.h>
#include <resume.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PERMISSION_BITS = 0777, ALL_MODE_BITS = 07777, NAME_LENGTH_MAX = 64 };

static struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* NULL: the answer to its release was lost with a server that was killed. */
static struct handle *handle_of(fuse_req_t req, const struct fuse_file_info *fi)
{
	return handle_find(server_of(req), fi->fh);
}

void refuse(fuse_req_t req, int error)
{
	struct server *server = server_of(req);
	reply_result(server, server->unique, req, error);
}

void reply_error(fuse_req_t req, int error)
{
	struct server *server = server_of(req);
	uint64_t unique = server->unique;
	kept_answer(server, unique, error);
	reply_result(server, unique, req, error);
	kept_answered(server, unique);
}

bool was_done(fuse_req_t req, ssize_t *result)
{
	const struct server *server = server_of(req);
	const struct keep_request *progress = kept_progress(server);
	if (progress)
		*result = progress->result;
	else
		keep_request_begin(server->keep, server->unique, 0, 0);
	return progress != NULL;
}

/*
 * Asynchronous direct reads are refused: they are background requests, and a dozen of them that
 * wait would hold up all others of that kind, closes among them.
 */
static void op_init(void *userdata, struct fuse_conn_info *connection)
{
	struct server *server = userdata;
	connection->want = connection->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
						  FUSE_CAP_READDIRPLUS_AUTO);
	connection->max_readahead = 0;
	if (connection->max_write > KEEP_BLOCK_MAX)
		connection->max_write = KEEP_BLOCK_MAX;
	server->initialized = true;
	if (!keep_again(server->keep)) /* see again_adopt() */
		server->usable = true;
	again_keep_first(server);
}

static void reply_entry(fuse_req_t req, const struct node *node)
{
	struct server *server = server_of(req);
	struct fuse_entry_param entry;
	node_entry(server, node, &entry);
	kept_commit(server);
	/* What the kernel was not told of, it will not forget. */
	if (reply_sent(server, server->unique, fuse_reply_entry(req, &entry)) < 0)
		node_forget(server, entry.ino, 1);
}

static int do_lookup(struct server *server, fuse_ino_t parent, const char *name, struct node *out)
{
	struct node directory;
	int error = node_find(server, parent, &directory);
	return error < 0 ? error : node_lookup(server, &directory, name, out);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node node;
	int error = do_lookup(server_of(req), parent, name, &node);
	if (error < 0)
		refuse(req, error);
	else
		reply_entry(req, &node);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	node_forget(server_of(req), ino, lookups);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		node_forget(server_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node node;
	struct stat attributes;
	struct server *server = server_of(req);
	int error = node_find(server, ino, &node);
	if (error < 0) {
		refuse(req, error);
		return;
	}
	node_attributes(server, &node, fi ? handle_of(req, fi) : NULL, &attributes);
	(void)reply_sent(server, server->unique,
			 fuse_reply_attr(req, &attributes, node_attributes_hold(&node)));
}

/* Of a session's directory, or of the root. */
static void change_directory(struct server *server, const struct node *node, const struct stat *to)
{
	mode_t mode = to->st_mode & PERMISSION_BITS;
	if (node->dir) {
		node->dir->mode = mode;
		node->dir->gid = to->st_gid;
		kept_dir(node->dir);
	} else {
		server->mode = mode | (to->st_mode & S_ISVTX);
		kept_server(server);
	}
}

static int change_file(struct server *server, const struct node *node, const struct stat *to)
{
	mode_t mode = to->st_mode & ALL_MODE_BITS;
	/* What is recorded is of a file by its id, and that of all sockets is one. */
	if (!node->dir || node->question || node->file->link || node->file->socket ||
	    (mode & ~file_most_mode(node->file)))
		return -EPERM;
	int error = keep_reserve(server->keep);
	if (error == 0)
		error = dir_set_rights(node->dir, node->file, mode, to->st_gid);
	if (error == 0)
		kept_dir(node->dir);
	return error;
}

/*
 * Truncation, times, and what is so already are accepted and change nothing. The kernel lets only
 * the owner change a group, to one of the owner's, and root.
 */
static int do_setattr(struct server *server, const struct node *node, const struct stat *to,
		      int to_set)
{
	struct stat is, wanted;
	node_attributes(server, node, NULL, &is);
	wanted = is;
	if (to_set & FUSE_SET_ATTR_MODE)
		wanted.st_mode = to->st_mode;
	if (to_set & FUSE_SET_ATTR_GID)
		wanted.st_gid = to->st_gid;
	if (((to_set & FUSE_SET_ATTR_UID) && to->st_uid != is.st_uid) ||
	    (!node->dir && wanted.st_gid != is.st_gid))
		return -EPERM;
	if ((to_set & FUSE_SET_ATTR_SIZE) && !(node->file && file_writable(node->file)))
		return -EACCES;
	if (((wanted.st_mode ^ is.st_mode) & ALL_MODE_BITS) == 0 && wanted.st_gid == is.st_gid)
		return 0;
	int error = 0;
	if (node->file)
		error = change_file(server, node, &wanted);
	else
		change_directory(server, node, &wanted);
	if (error == 0)
		kept_commit(server);
	return error;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int to_set,
		       struct fuse_file_info *fi)
{
	struct node node;
	int error = node_find(server_of(req), ino, &node);
	if (error == 0)
		error = do_setattr(server_of(req), &node, to, to_set);
	if (error < 0)
		refuse(req, error);
	else
		op_getattr(req, ino, fi);
}

static int do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		    struct node *out)
{
	struct server *server = server_of(req);
	const struct fuse_ctx *client = fuse_req_ctx(req);
	if (parent != FUSE_ROOT_ID)
		return -EPERM;
	if (server->stopping)
		return -ESHUTDOWN;
	if (file_find(root_files, name))
		return -EEXIST;
	/* Without root's privilege, a session can be nobody's but ours. */
	if (geteuid() != 0 && client->uid != geteuid())
		return -EPERM;
	*out = (struct node){ 0 };
	int error =
		dir_make(server, name, client->uid, client->gid, mode & PERMISSION_BITS, &out->dir);
	if (error == 0)
		server_touch(server);
	return error;
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct server *server = server_of(req);
	uint64_t unique = server->unique;
	struct node node;
	ssize_t error;
	if (!was_done(req, &error))
		error = do_mkdir(req, parent, name, mode, &node);
	else if (error == 0)
		error = do_lookup(server, parent, name, &node);
	kept_answer(server, unique, error);
	if (error < 0)
		refuse(req, (int)error);
	else
		reply_entry(req, &node);
	kept_answered(server, unique);
}

static int do_rmdir(struct server *server, fuse_ino_t parent, const char *name)
{
	struct node node;
	int error = do_lookup(server, parent, name, &node);
	if (error < 0)
		return error;
	if (node.file) /* `wait`: like a session's other files it goes with the session alone */
		return node.file->directory ? -EPERM : -ENOTDIR;
	dir_remove(node.dir);
	server_touch(server);
	return 0;
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	ssize_t error;
	if (!was_done(req, &error))
		error = do_rmdir(server_of(req), parent, name);
	reply_error(req, (int)error);
}

static int do_open(fuse_req_t req, fuse_ino_t ino, int flags, struct handle **out)
{
	struct server *server = server_of(req);
	struct node node;
	int error = node_find(server, ino, &node);
	if (error < 0)
		return error;
	if (!node.file || node.file->directory)
		return -EISDIR;
	if (node.dir && mimobox_session_removed(node.dir->session))
		return -ENOENT;
	return handle_open(server, &node, fuse_req_ctx(req)->uid, flags, out);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	uint64_t unique = server->unique;
	struct handle *handle = NULL;
	ssize_t result;
	if (was_done(req, &result))
		handle = result < 0 ? NULL : handle_find(server, (uint64_t)result);
	else
		result = do_open(req, ino, fi->flags, &handle);
	if (result < 0 || !handle) {
		reply_error(req, result < 0 ? (int)result : -EIO);
		return;
	}
	fi->fh = handle->id;
	fi->direct_io = 1;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 11)
	fi->noflush = !handle->file->take;
#endif
	kept_opened(server, unique, handle);
	/* Interrupted meanwhile, say: the kernel has no file, and will not release one. */
	if (reply_sent(server, unique, fuse_reply_open(req, fi)) < 0)
		handle_close(handle);
	kept_answered(server, unique);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	(void)ino;
	struct request request = {
		.req = req,
		.unique = server_of(req)->unique,
		.handle = handle_of(req, fi),
		.work = file_read,
		.nonblock = fi->flags & O_NONBLOCK,
		.size = size,
		.offset = (uint64_t)offset,
	};
	if (!request.handle) {
		fuse_reply_err(req, EBADF);
		return;
	}
	if (server_of(req)->resent && request.handle->reader)
		mimobox_reader_again(request.handle->reader, request.offset);
	request_serve(&request);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	(void)ino;
	struct request request = {
		.req = req,
		.unique = server_of(req)->unique,
		.handle = handle_of(req, fi),
		.work = file_write,
		.writes = true,
		.nonblock = fi->flags & O_NONBLOCK,
		.data = data,
		.size = size,
		.offset = (uint64_t)offset,
	};
	if (request.handle)
		request_serve(&request);
	else
		fuse_reply_err(req, EBADF);
}

static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	struct handle *handle = handle_of(req, fi);
	ssize_t error;
	if (!was_done(req, &error))
		error = handle && handle->file->take ? lines_flush(handle, handle->file->take) : 0;
	reply_error(req, (int)error);
}

void ops_release(struct server *server, struct handle *handle)
{
	if (handle->file->take)
		lines_flush(handle, handle->file->take);
	if (handle->answers)
		mimobox_session_answer_no_more(handle->dir->session);
	if (handle->owns)
		mimobox_session_disown(handle->dir->session);
	handle_close(handle);
	kept_commit(server);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	struct handle *handle = handle_of(req, fi);
	if (handle)
		ops_release(server_of(req), handle);
	fuse_reply_err(req, 0);
}

static void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		    struct fuse_pollhandle *poll)
{
	(void)ino;
	struct server *server = server_of(req);
	struct handle *handle = handle_of(req, fi);
	if (!handle) {
		if (poll)
			fuse_pollhandle_destroy(poll);
		fuse_reply_err(req, EBADF);
		return;
	}
	const struct file *file = handle->file;
	if (poll)
		handle_watch(handle, poll, again_poll_number(server));
	unsigned events = file->poll ? file->poll(handle) : POLLIN | POLLOUT;
	kept_commit(server);
	(void)reply_sent(server, server->unique, fuse_reply_poll(req, events));
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
	struct server *server = server_of(req);
	struct node directory;
	int error = node_find(server, ino, &directory);
	if (error < 0) {
		refuse(req, error);
		return;
	}
	if (size > SERVER_ANSWER_MAX)
		size = SERVER_ANSWER_MAX;
	size = listing_fill(server, req, &directory, (uint64_t)offset, plus, server->answer, size);
	(void)reply_sent(server, server->unique, fuse_reply_buf(req, server->answer, size));
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, offset, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			   struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, offset, true);
}

static int do_readlink(struct server *server, fuse_ino_t ino, const char **target)
{
	struct node node;
	int error = node_find(server, ino, &node);
	if (error < 0)
		return error;
	if (!node.file || !node.file->link)
		return -EINVAL;
	*target = node.file->link(node.dir);
	return *target ? 0 : -ENOENT;
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	const char *target;
	struct server *server = server_of(req);
	int error = do_readlink(server, ino, &target);
	if (error < 0)
		refuse(req, error);
	else
		(void)reply_sent(server, server->unique, fuse_reply_readlink(req, target));
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	(void)ino;
	struct server *server = server_of(req);
	unsigned sessions = mimobox_session_count(server->box);
	unsigned most = server->max_sessions ? server->max_sessions : 1u << 30;
	struct statvfs out = { .f_bsize = 4096, .f_frsize = 4096 };
	(void)mimobox_disk(server->box, &out); /* else it is one of no size, as /proc is */
	out.f_files = most;
	out.f_ffree = out.f_favail = most > sessions ? most - sessions : 0;
	out.f_namemax = NAME_LENGTH_MAX;
	(void)reply_sent(server, server->unique, fuse_reply_statfs(req, &out));
}

/* Files come and go with their session only, and names are for good. */

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

/* The binder's, when it binds the socket of a port that is published. */
static int do_mknod(struct server *server, fuse_ino_t parent, const char *name, mode_t mode,
		    struct node *out)
{
	struct node directory;
	int error = node_find(server, parent, &directory);
	if (error < 0)
		return error;
	uint16_t port = node_port(name);
	if (!S_ISSOCK(mode) || !directory.file || !directory.file->ports || !port ||
	    mimobox_session_removed(directory.dir->session))
		return -EPERM;
	*out = (struct node){ .dir = directory.dir, .file = &port_file, .port = port };
	return mimobox_session_port_bind(directory.dir->session, port);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)device;
	struct server *server = server_of(req);
	uint64_t unique = server->unique;
	struct node node;
	ssize_t error;
	if (!was_done(req, &error))
		error = do_mknod(server, parent, name, mode, &node);
	else if (error == 0)
		error = do_lookup(server, parent, name, &node);
	kept_answer(server, unique, error);
	if (error < 0)
		refuse(req, (int)error);
	else
		reply_entry(req, &node);
	kept_answered(server, unique);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req, EPERM);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target, (void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino, (void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
		      const char *to_name, unsigned flags)
{
	(void)parent, (void)name, (void)to_parent, (void)to_name, (void)flags;
	fuse_reply_err(req, EPERM);
}

const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mkdir = op_mkdir,
	.rmdir = op_rmdir,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.poll = op_poll,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.readlink = op_readlink,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.unlink = op_unlink,
	.mknod = op_mknod,
	.create = op_create,
	.symlink = op_symlink,
	.link = op_link,
	.rename = op_rename,
};
