/* SPDX-License-Identifier: MIT */
/* What a kernel asks of names: look-ups, mkdir, rmdir, attributes, listings. */
#include "kernel.h"

#include <errno.h>
#include <limits.h>
#include <mimobox.h>
#include <server.h>
#include <sys/stat.h>

/* Names: look-ups, mkdir, rmdir */

static bool asks(const char *text)
{
	return strcmp(text, "exit") == 0 || strncmp(text, "idle:", 5) == 0 ||
	       strncmp(text, "match:", 6) == 0 || strncmp(text, "match@", 6) == 0;
}

/* 0 and what is there, or -errno. */
static int find_name(const struct model_node *parent, const char *name, struct model_node *out)
{
	*out = (struct model_node){ .session = parent->session };
	if (!model_alive(parent->session))
		return -ENOENT;
	if (!is_directory(parent))
		return -ENOTDIR;
	if (parent->session && parent->session->removed)
		return -ENOENT;
	if (parent->file == FILE_WAIT) {
		out->file = FILE_QUESTION;
		return asks(name) ? 0 : -ENOENT;
	}
	for (int i = parent->session ? FIRST_OF_SESSION : 0;
	     i < (parent->session ? FILES : FIRST_OF_SESSION); i++)
		if (strcmp(model_rows[i].name, name) == 0) {
			out->file = (enum model_file)i;
			return parent->session && !model_there(parent->session, out->file) ? -ENOENT
											   : 0;
		}
	out->file = FILE_DIRECTORY;
	out->session = parent->session ? NULL : model_find(name);
	return out->session ? 0 : -ENOENT;
}

static char last_name[128]; /* of the look-up, mkdir or rmdir that is on its way */
static struct model_node last_parent;

static struct call *send_name(uint32_t opcode, const struct model_node *parent, uint32_t uid,
			      const void *head, size_t size, const char *name)
{
	snprintf(last_name, sizeof(last_name), "%s", name);
	last_parent = *parent;
	return wire_send(opcode, parent->node, uid, head, size, name, strlen(name) + 1);
}

static bool is_room_for_nodes(void)
{
	unsigned used = 0;
	for (int i = 0; i < NODES; i++)
		used += nodes[i].lookups > 0;
	return used < NODES - 2;
}

void kernel_look_up(const struct model_node *parent, const char *name)
{
	struct model_node found;
	int expect = find_name(parent, name, &found);
	if (!is_room_for_nodes())
		return;
	struct call *call = send_name(FUSE_LOOKUP, parent, 0, NULL, 0, name);
	if (call)
		call->expect = expect;
}

static uint32_t group_of(const struct model_node *node)
{
	const struct model_session *session = node->session;
	enum model_file file = node->file == FILE_QUESTION ? FILE_WAIT : node->file;
	if (!session)
		return 0;
	if (file == FILE_DIRECTORY)
		return session->gid;
	return session->modes[file] ? session->gids[file] : session->uid;
}

static void check_attributes(const struct model_node *node, const struct fuse_attr *attributes)
{
	CHECK(attributes->mode == mode_of(node));
	CHECK(attributes->uid == (node->session ? node->session->uid : 0));
	CHECK(attributes->gid == group_of(node));
	if (node->session)
		CHECK((attributes->nlink == 0) == node->session->removed);
	if (node->file == FILE_TRANSCRIPT)
		CHECK(attributes->size == node->session->printed_size[0]);
	else if (node->file != FILE_LOG)
		CHECK(attributes->size == 0);
	if (node->file == FILE_DIRECTORY && !node->session)
		CHECK(attributes->nlink == 2 + model_count());
}

void kernel_looked_up(const struct call *call)
{
	const struct fuse_entry_out *entry = (const void *)call->payload;
	struct model_node found;
	CHECK(find_name(&last_parent, last_name, &found) == 0);
	if (found.file == FILE_DIRECTORY)
		CHECK(entry->nodeid == found.session->node);
	model_add_node(entry->nodeid, found.session, found.file,
		       found.file == FILE_QUESTION ? last_name : NULL);
	check_attributes(&found, &entry->attr);
	/* What may go, or be another, by anything but a request is asked for anew. */
	CHECK((found.file != FILE_QUESTION && found.file != FILE_STDERR) ||
	      entry->entry_valid == 0);
	CHECK(found.file == FILE_DIRECTORY || entry->attr_valid == 0);
}

/* The node of a file, or NULL: then it is being looked up. */
const struct model_node *kernel_reach(struct model_session *session, enum model_file file)
{
	const struct model_node *node = model_node_of(session, file);
	const struct model_node *parent = session ? model_node_of(session, FILE_DIRECTORY) : &root;
	if (node)
		return node;
	if (!parent)
		kernel_look_up(&root, session->name);
	else if (file == FILE_DIRECTORY)
		kernel_look_up(&root, session->name);
	else
		kernel_look_up(parent, model_rows[file].name);
	return NULL;
}

static struct model_session *free_slot(void)
{
	for (int i = 0; i < SESSIONS; i++) {
		struct model_session *session = &sessions[i];
		bool used = session->made &&
			    (!session->removed || session->state != EXITED || session->handles);
		for (int j = 0; j < NODES; j++)
			used |= nodes[j].lookups && nodes[j].session == session;
		if (used)
			continue;
		if (session->made)
			config_finish(&session->config);
		free(session->printed[0]);
		free(session->printed[1]);
		free(session->typed);
		*session = (struct model_session){ 0 };
		return session;
	}
	return NULL;
}

static int check_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	if (strlen(name) > 64)
		return -ENAMETOOLONG;
	return !*name || *name == '.' || name[strspn(name, allowed)] ? -EINVAL : 0;
}

static bool is_lingering(void)
{
	for (int i = 0; i < SESSIONS; i++)
		if (sessions[i].made && sessions[i].removed && sessions[i].state != EXITED)
			return true;
	return false;
}

static int expect_mkdir(const struct model_node *parent, const char *name)
{
	if (parent->node != FUSE_ROOT_ID)
		return -EPERM;
	if (model_stopping)
		return -ESHUTDOWN;
	for (int i = 0; i < FIRST_OF_SESSION; i++)
		if (strcmp(model_rows[i].name, name) == 0)
			return -EEXIST;
	int error = check_name(name);
	if (error == 0 && model_find(name))
		error = -EEXIST;
	if (error == 0 && model_max_sessions && model_count() >= model_max_sessions)
		error = -EAGAIN;
	return error;
}

void kernel_make_directory(void)
{
	struct fuse_mkdir_in in = { .mode = 0700 | (fuzz_byte(&choices) & 0177) };
	const char *name = take_name();
	uint8_t byte = fuzz_byte(&choices);
	const struct model_node *parent = byte < 250 ? &root : take_node();
	if (!parent || !free_slot() || !is_room_for_nodes())
		return;
	struct call *call = send_name(FUSE_MKDIR, parent, take_uid(byte), &in, sizeof(in), name);
	if (!call)
		return;
	call->expect = expect_mkdir(parent, name);
	call->offset = in.mode;
	/* Where what was removed has still to end, its place is not free yet. */
	if (call->expect == 0 && model_max_sessions && is_lingering())
		call->expect = INT_MIN;
}

void kernel_made_directory(const struct call *call)
{
	const struct fuse_entry_out *entry = (const void *)call->payload;
	struct model_session *session = free_slot();
	*session = (struct model_session){
		.made = true,
		.uid = call->uid,
		.gid = call->uid,
		.node = entry->nodeid,
		.mode = call->offset & 0777,
		.rows = 24,
		.cols = 80,
		.session = mimobox_session_by_id(model_box, entry->nodeid >> 8),
	};
	snprintf(session->name, sizeof(session->name), "%.64s", last_name);
	CHECK(session->session && config_copy(&session->config, &model_defaults) == 0);
	for (int i = 0; i < SESSIONS; i++)
		CHECK(&sessions[i] == session || !sessions[i].made ||
		      sessions[i].node != entry->nodeid);
	struct model_node *node = model_add_node(entry->nodeid, session, FILE_DIRECTORY, NULL);
	check_attributes(node, &entry->attr);
	model_tell(session, "created");
}

void kernel_remove_directory(void)
{
	const char *name = take_name();
	uint8_t byte = fuzz_byte(&choices);
	const struct model_node *parent = byte < 200 ? &root : take_node();
	struct model_node found;
	if (!parent)
		return;
	int expect = find_name(parent, name, &found);
	/* What the library does not find of itself. */
	if (expect == 0 && found.file != FILE_DIRECTORY)
		expect = -ENOTDIR;
	if (parent->file == FILE_WAIT && asks(name)) /* a kernel looks a name up before */
		return;
	struct call *call = send_name(FUSE_RMDIR, parent, 0, NULL, 0, name);
	if (!call)
		return;
	call->expect = expect;
	if (expect == 0)
		model_remove(found.session);
}

void kernel_get_attributes(void)
{
	const struct model_node *node = take_node();
	struct fuse_getattr_in in = { 0 };
	if (!node)
		node = &root;
	struct call *call = wire_send(FUSE_GETATTR, node->node, 0, &in, sizeof(in), NULL, 0);
	if (call)
		call->expect = model_alive(node->session) ? 0 : -ENOENT;
}

static int expect_setattr(const struct model_node *node, const struct fuse_setattr_in *in)
{
	uint32_t owner = node->session ? node->session->uid : 0;
	if (!model_alive(node->session))
		return -ENOENT;
	uint32_t group = group_of(node), mode = mode_of(node), first = first_mode_of(node);
	uint32_t most = (first & 0700) | (first & 0700) >> 3 | (first & 0700) >> 6;
	if ((in->valid & FATTR_UID && in->uid != owner) ||
	    (in->valid & FATTR_GID && in->gid != group && !node->session))
		return -EPERM;
	if (in->valid & FATTR_SIZE &&
	    (!(first_mode_of(node) & 0200) || is_directory(node) || node->file == FILE_WORKSPACE))
		return -EACCES;
	bool changes = (in->valid & FATTR_GID && in->gid != group) ||
		       (in->valid & FATTR_MODE && ((in->mode ^ mode) & 07777));
	if (node->file == FILE_DIRECTORY || !changes)
		return 0;
	if (!node->session || node->file == FILE_QUESTION || node->file == FILE_WORKSPACE)
		return -EPERM;
	return (in->valid & FATTR_MODE ? in->mode : mode) & 07777 & ~most ? -EPERM : 0;
}

static void change(const struct model_node *node, const struct fuse_setattr_in *in)
{
	struct model_session *session = node->session;
	uint32_t mode = in->valid & FATTR_MODE ? in->mode & 07777 : mode_of(node) & 07777;
	uint32_t group = in->valid & FATTR_GID ? in->gid : group_of(node);
	if (node->file == FILE_DIRECTORY) {
		session->mode = mode & 0777;
		session->gid = group;
	} else if (node->file != FILE_QUESTION && node->file != FILE_WORKSPACE) {
		session->modes[node->file] = (model_rows[node->file].mode & S_IFMT) | mode;
		session->gids[node->file] = group;
	}
}

void kernel_set_attributes(void)
{
	struct model_node *node = take_node();
	struct fuse_setattr_in in = { .valid = fuzz_byte(&choices) & 0x1ff & ~(unsigned)FATTR_FH };
	in.mode = (uint32_t)fuzz_number(&choices, 2);
	in.uid = in.gid = take_uid(fuzz_byte(&choices));
	if (!node)
		return;
	struct call *call = wire_send(FUSE_SETATTR, node->node, 0, &in, sizeof(in), NULL, 0);
	if (!call)
		return;
	call->expect = expect_setattr(node, &in);
	if (call->expect == 0 && node->session)
		change(node, &in);
}

void kernel_got_attributes(const struct call *call)
{
	const struct fuse_attr_out *out = (const void *)call->payload;
	const struct model_node *node = &root;
	for (int i = 0; i < NODES; i++)
		if (nodes[i].lookups && nodes[i].node == call->node)
			node = &nodes[i];
	CHECK(node->node == call->node);
	check_attributes(node, &out->attr);
	CHECK(node->file == FILE_DIRECTORY || out->attr_valid == 0);
}

/* Listing: one request an operation, until its end */

static struct {
	bool active, plus;
	uint64_t node, offset;
	const struct model_node *directory;
	uint32_t size;
	char names[SESSIONS + 32][72];
	unsigned count;
} listing;

void kernel_begin(void)
{
	memset(&listing, 0, sizeof(listing));
}

bool kernel_is_listing(void)
{
	return listing.active;
}

void kernel_go_on_listing(void)
{
	struct fuse_read_in in = { .size = listing.size, .offset = listing.offset };
	struct call *call = wire_send(listing.plus ? FUSE_READDIRPLUS : FUSE_READDIR, listing.node,
				      0, &in, sizeof(in), NULL, 0);
	if (!call)
		return;
	call->size = in.size;
	call->expect = model_alive(listing.directory->session) ? 0 : -ENOENT;
}

void kernel_list(void)
{
	const struct model_node *node = take_node();
	uint8_t byte = fuzz_byte(&choices);
	if (!node || byte & 1)
		node = &root;
	if (!is_directory(node))
		return;
	memset(&listing, 0, sizeof(listing));
	listing.active = true;
	listing.plus = byte & 2;
	listing.node = node->node;
	listing.directory = node;
	listing.size = byte & 4 ? 4096 : 300 + byte;
	kernel_go_on_listing();
}

static void check_listed(void)
{
	unsigned expected = 2;
	const struct model_session *session = listing.directory->session;
	if (session && session->removed)
		expected = 0;
	else if (listing.directory->file == FILE_DIRECTORY && session)
		expected += FILES - FIRST_OF_SESSION - !model_there(session, FILE_STDERR);
	else if (listing.directory->file == FILE_DIRECTORY)
		expected += FIRST_OF_SESSION + model_count();
	if (listing.count != expected)
		fprintf(stderr, "%u names, to be %u\n", listing.count, expected);
	CHECK(listing.count == expected);
}

static void list_name(const struct fuse_dirent *entry)
{
	struct model_node found;
	char *name = listing.names[listing.count];
	CHECK(listing.count < sizeof(listing.names) / sizeof(listing.names[0]));
	CHECK(entry->namelen > 0 && entry->namelen <= 64 && entry->off > listing.offset);
	memcpy(name, entry->name, entry->namelen);
	for (unsigned i = 0; i < listing.count; i++)
		CHECK(strcmp(listing.names[i], name) != 0);
	listing.count++;
	listing.offset = entry->off;
	if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
		CHECK(find_name(listing.directory, name, &found) == 0);
		CHECK(entry->type == (mode_of(&found) & S_IFMT) >> 12);
	}
}

void kernel_listed(const struct call *call)
{
	size_t at = 0;
	if (call->error < 0)
		listing.active = false;
	else if (call->payload_size == 0) {
		check_listed();
		listing.active = false;
	}
	while (at < call->payload_size) {
		const struct fuse_direntplus *plus = (const void *)(call->payload + at);
		const struct fuse_dirent *entry =
			listing.plus ? &plus->dirent : (const void *)(call->payload + at);
		size_t size = listing.plus ? FUSE_DIRENTPLUS_SIZE(plus) : FUSE_DIRENT_SIZE(entry);
		CHECK(at + size <= call->payload_size);
		list_name(entry);
		if (listing.plus)
			wire_check_attributes(&plus->entry_out.attr, plus->entry_out.nodeid);
		at += size;
	}
}

/* What is refused whatever it is, or always the same */

void kernel_refuse(void)
{
	static const struct {
		uint32_t opcode;
		int expect;
		size_t head;
	} kinds[] = {
		{ FUSE_UNLINK, -EPERM, 0 },
		{ FUSE_MKNOD, -EPERM, sizeof(struct fuse_mknod_in) },
		{ FUSE_CREATE, -EPERM, sizeof(struct fuse_create_in) },
		{ FUSE_RENAME, -EPERM, sizeof(struct fuse_rename_in) },
		{ FUSE_LINK, -EPERM, sizeof(struct fuse_link_in) },
		{ FUSE_SYMLINK, -EPERM, 0 },
		{ FUSE_STATFS, 0, 0 },
		{ FUSE_GETXATTR, -ENOSYS, sizeof(struct fuse_getxattr_in) },
		{ FUSE_FSYNC, -ENOSYS, sizeof(struct fuse_fsync_in) },
		{ FUSE_ACCESS, -ENOSYS, sizeof(struct fuse_access_in) },
	};
	static const char zeros[64], two[] = "one\0two";
	uint8_t byte = fuzz_byte(&choices);
	const struct model_node *node = take_node();
	size_t kind = byte % (sizeof(kinds) / sizeof(kinds[0]));
	struct call *call = wire_send(kinds[kind].opcode, node ? node->node : 1, 0, zeros,
				      kinds[kind].head, two, sizeof(two));
	if (call)
		call->expect = kinds[kind].expect;
}

void kernel_read_link(void)
{
	const struct model_node *node = take_node();
	struct call *call = node ? wire_send(FUSE_READLINK, node->node, 0, NULL, 0, NULL, 0) : NULL;
	if (call)
		call->expect = model_alive(node->session) && node->file != FILE_WORKSPACE ? -EINVAL
											  : -ENOENT;
}
