/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <server.h>
#include <sys/stat.h>

/* What there is to choose from */

static const char *const names[] = { "a",        "b",        "build", "x.y-z_9",
				     "defaults", "events",   ".hid",  "exit",
				     "",         "wait",     "input", "idle:5ms",
				     "..",       "match:ab", "a b",   "match@0:b" };
enum { NAMES = sizeof(names) / sizeof(names[0]) };

const char *take_name(void)
{
	static char name[128];
	uint8_t byte = fuzz_byte(&choices);
	size_t length, taken;
	if (byte < 128)
		return names[byte % NAMES];
	length = byte == 128 ? 64 : byte == 129 ? 65 : byte % 16;
	if (byte <= 129) {
		memset(name, 'n', length);
		name[length] = '\0';
		return name;
	}
	const uint8_t *bytes = fuzz_take(&choices, length, &taken);
	memcpy(name, bytes, taken);
	name[taken] = '\0';
	return name;
}

uint32_t take_uid(uint8_t byte)
{
	return byte % 4 == 3 ? 1000 : byte % 4 == 2 ? 1001 : 0;
}

struct model_session *take_session(void)
{
	struct model_session *session = &sessions[fuzz_byte(&choices) % SESSIONS];
	for (int i = 0; i < SESSIONS && !session->made; i++)
		session = &sessions[(session - sessions + 1) % SESSIONS];
	return session->made ? session : NULL;
}

struct model_node *take_node(void)
{
	unsigned at = fuzz_byte(&choices);
	for (unsigned i = 0; i < NODES; i++)
		if (nodes[(at + i) % NODES].lookups)
			return &nodes[(at + i) % NODES];
	return NULL;
}

struct model_handle *take_handle(void)
{
	unsigned at = fuzz_byte(&choices);
	for (unsigned i = 0; i < HANDLES; i++)
		if (handles[(at + i) % HANDLES].open)
			return &handles[(at + i) % HANDLES];
	return NULL;
}

bool is_in_use(const struct model_handle *handle)
{
	for (int i = 0; i < CALLS; i++)
		if (calls[i].used && calls[i].handle == handle)
			return true;
	return false;
}

bool is_directory(const struct model_node *node)
{
	return node->file == FILE_DIRECTORY || node->file == FILE_WAIT;
}

uint32_t first_mode_of(const struct model_node *node)
{
	if (node->file == FILE_DIRECTORY)
		return S_IFDIR | 0700;
	return node->file == FILE_QUESTION ? S_IFREG | 0400 : model_rows[node->file].mode;
}

uint32_t mode_of(const struct model_node *node)
{
	if (node->file == FILE_DIRECTORY)
		return S_IFDIR | (node->session ? node->session->mode : server.mode);
	enum model_file file = node->file == FILE_QUESTION ? FILE_WAIT : node->file;
	uint32_t changed = node->session ? node->session->modes[file] : 0;
	uint32_t mode = changed ? changed : model_rows[file].mode;
	return node->file == FILE_QUESTION ? S_IFREG | (mode & 0444) : mode;
}

const struct model_node root = { .node = FUSE_ROOT_ID, .lookups = 1, .file = FILE_DIRECTORY };
