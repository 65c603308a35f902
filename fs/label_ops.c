/* SPDX-License-Identifier: MIT */
/*
 * Labels: extended attributes of a session's directory. Those of other kinds are answered by their
 * name alone, since clients such as ls(1) ask for them at each file. An answer is never ENOSYS: the
 * kernel would ask for none any more.
 */
#include "label_ops.h"

#include "dir.h"
#include "kept.h"
#include "labels.h"
#include "node.h"
#include "ops.h"
#include "reply.h"
#include "server.h"

#include <errno.h>
#include <mimobox.h>
#include <unistd.h>

static struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Whether the node can have labels that the client may see. */
static bool has_labels(fuse_req_t req, const struct node *node)
{
	uid_t uid = fuse_req_ctx(req)->uid;
	return node->dir && !node->file &&
	       (uid == 0 || uid == geteuid() || uid == mimobox_session_uid(node->dir->session));
}

/* 0, and a node whose labels the client may change; or -errno. */
static int node_to_label(fuse_req_t req, fuse_ino_t ino, const char *name, struct node *node)
{
	int error = label_is(name) ? node_find(server_of(req), ino, node) : -EOPNOTSUPP;
	if (error < 0)
		return error;
	if (!node->dir || node->file)
		return -EOPNOTSUPP;
	if (mimobox_session_removed(node->dir->session))
		return -ENOENT;
	return has_labels(req, node) ? 0 : -EPERM;
}

static int do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		       size_t size, int flags)
{
	struct node node;
	int error = node_to_label(req, ino, name, &node);
	if (error == 0)
		error = labels_set(&node.dir->labels, name, value, size, flags);
	if (error == 0)
		kept_labels(node.dir);
	return error;
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags)
{
	ssize_t error;
	if (!was_done(req, &error))
		error = do_setxattr(req, ino, name, value, size, flags);
	reply_error(req, (int)error);
}

static int do_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct node node;
	int error = node_to_label(req, ino, name, &node);
	if (error == 0)
		error = labels_remove(&node.dir->labels, name);
	if (error == 0)
		kept_labels(node.dir);
	return error;
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	ssize_t error;
	if (!was_done(req, &error))
		error = do_removexattr(req, ino, name);
	reply_error(req, (int)error);
}

/* With a size of 0 the client asks how much there is. */
static void reply_attribute(fuse_req_t req, const void *data, size_t there, size_t size)
{
	struct server *server = server_of(req);
	if (size == 0)
		(void)reply_sent(server, server->unique, fuse_reply_xattr(req, there));
	else if (there > size)
		refuse(req, -ERANGE);
	else
		(void)reply_sent(server, server->unique, fuse_reply_buf(req, data, there));
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct node node;
	const void *value = NULL;
	ssize_t there = label_is(name) ? node_find(server_of(req), ino, &node) : -EOPNOTSUPP;
	if (there == 0)
		there = has_labels(req, &node) ? labels_get(&node.dir->labels, name, &value)
					       : -ENODATA;
	if (there < 0)
		refuse(req, (int)there);
	else
		reply_attribute(req, value, (size_t)there, size);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct node node;
	struct server *server = server_of(req);
	int error = node_find(server, ino, &node);
	if (error < 0) {
		refuse(req, error);
		return;
	}
	size_t there = has_labels(req, &node) ? labels_list(&node.dir->labels, server->answer) : 0;
	reply_attribute(req, server->answer, there, size);
}
