/* SPDX-License-Identifier: MIT */
#include "mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void put(char *text, size_t room, size_t at, char byte, bool *cut)
{
	if (at + 1 >= room) {
		*cut = true;
		return;
	}
	text[at] = byte;
	text[at + 1] = '\0';
}

/* By lines: "ID PARENT DEVICE ROOT PLACE OPTIONS OPTIONAL... - TYPE SOURCE OPTIONS" */

enum word { ID, PARENT, DEVICE, ROOT, PLACE, MOUNT_OPTIONS, OPTIONAL, TYPE, SOURCE, OPTIONS };

struct parser {
	struct mountinfo mount;
	enum word word;
	size_t size;            /* of the word so far */
	bool dash;              /* all of it is a dash */
	unsigned octal, digits; /* of an escape; digits 0: it is none */
};

static void begin_line(struct parser *parser)
{
	struct mountinfo *mount = &parser->mount;
	mount->id = mount->parent = mount->device = 0;
	mount->root[0] = mount->place[0] = mount->type[0] = mount->options[0] = '\0';
	mount->root_cut = mount->place_cut = mount->type_cut = mount->options_cut = false;
	parser->word = ID;
	parser->size = parser->digits = 0;
	parser->dash = false;
}

static void take_byte(struct parser *parser, char byte)
{
	struct mountinfo *mount = &parser->mount;
	size_t at = parser->size++;
	parser->dash = at == 0 && byte == '-';
	switch (parser->word) {
	case ID:
		mount->id = 10 * mount->id + (unsigned)(byte - '0');
		break;
	case PARENT:
		mount->parent = 10 * mount->parent + (unsigned)(byte - '0');
		break;
	case DEVICE: /* MAJOR:MINOR */
		mount->device = byte == ':' ? mount->device << 32
					    : (mount->device & ~(uint64_t)UINT32_MAX) +
						      10 * (mount->device & UINT32_MAX) +
						      (unsigned)(byte - '0');
		break;
	case ROOT:
		put(mount->root, sizeof(mount->root), at, byte, &mount->root_cut);
		break;
	case PLACE:
		put(mount->place, sizeof(mount->place), at, byte, &mount->place_cut);
		break;
	case TYPE:
		put(mount->type, sizeof(mount->type), at, byte, &mount->type_cut);
		break;
	case OPTIONS:
		put(mount->options, sizeof(mount->options), at, byte, &mount->options_cut);
		break;
	default:
		break;
	}
}

static void end_word(struct parser *parser)
{
	if ((parser->word != OPTIONAL || parser->dash) && parser->word != OPTIONS)
		parser->word++;
	parser->size = 0;
	parser->dash = false;
}

/* An escape is a backslash and three octal digits. */
static void take_escaped(struct parser *parser, char byte)
{
	if (byte == '\\') {
		parser->digits = 3;
		parser->octal = 0;
	} else if (parser->digits) {
		parser->octal = 8 * parser->octal + (unsigned)(byte - '0');
		if (--parser->digits == 0)
			take_byte(parser, (char)parser->octal);
	} else {
		take_byte(parser, byte);
	}
}

static int take_text(struct parser *parser, const char *text, size_t size, mountinfo_visit_fn visit,
		     void *data)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n') {
			int result = visit(&parser->mount, data);
			if (result)
				return result;
			begin_line(parser);
		} else if (text[i] == ' ') {
			end_word(parser);
		} else {
			take_escaped(parser, text[i]);
		}
	}
	return 0;
}

int mountinfo_read(int fd, mountinfo_visit_fn visit, void *data)
{
	struct parser parser;
	char text[4096];
	begin_line(&parser);
	for (;;) {
		ssize_t size = read(fd, text, sizeof(text));
		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return size < 0 ? -errno : 0;
		int result = take_text(&parser, text, (size_t)size, visit, data);
		if (result)
			return result;
	}
}

int mountinfo_read_own(mountinfo_visit_fn visit, void *data)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = mountinfo_read(fd, visit, data);
	close(fd);
	return result;
}

/* By numbers: listmount(2) and statmount(2), which not every libc and header has. */

enum { CALL_STATMOUNT = 457, CALL_LISTMOUNT = 458, IDS_AT_ONCE = 64, STRINGS_MAX = 8192 };

enum {
	WANT_SB_BASIC = 0x1,
	WANT_MNT_BASIC = 0x2,
	WANT_ROOT = 0x8,
	WANT_PLACE = 0x10,
	WANT_TYPE = 0x20,
	WANT_OPTIONS = 0x80,
	WANT_SUBTYPE = 0x100,
	WANT_SUPPORTED = 0x1000,
};
#define WHOLE_TREE UINT64_MAX /* LSMT_ROOT */

struct question {
	uint32_t size, spare;
	uint64_t id, param;
};

struct answer {
	uint32_t size, options;
	uint64_t mask;
	uint32_t device[2];
	uint64_t magic;
	uint32_t flags, type;
	uint64_t id, parent;
	uint32_t old_id, old_parent;
	uint64_t attributes, propagation, peers, master, from;
	uint32_t root, place;
	uint64_t space;
	uint32_t subtype, source, option_count, option_array, security_count, security_array;
	uint64_t supported;
	uint64_t spare[45];
	char strings[STRINGS_MAX];
};

_Static_assert(offsetof(struct answer, strings) == 512, "as the kernel has it");

static int ask(uint64_t id, uint64_t wanted, struct answer *answer)
{
	struct question question = { .size = sizeof(question), .id = id, .param = wanted };
	return syscall(CALL_STATMOUNT, &question, answer, sizeof(*answer), 0) < 0 ? -errno : 0;
}

static void append(char *text, size_t room, const struct answer *answer, uint64_t bit,
		   uint32_t offset, bool *cut)
{
	size_t at = strlen(text);
	if ((answer->mask & bit) && offset < sizeof(answer->strings))
		for (const char *from = answer->strings + offset; *from; from++)
			put(text, room, at++, *from, cut);
}

/* 0; -ENOENT: it has gone. */
static int fill(uint64_t id, struct answer *answer, struct mountinfo *mount)
{
	const uint64_t most = WANT_SB_BASIC | WANT_MNT_BASIC | WANT_TYPE | WANT_OPTIONS |
			      WANT_SUBTYPE | WANT_SUPPORTED;
	memset(mount, 0, sizeof(*mount));
	int error = ask(id, most | WANT_ROOT | WANT_PLACE, answer);
	if (error == -EOVERFLOW) {
		mount->root_cut = mount->place_cut = true;
		error = ask(id, most, answer);
	}
	if (error == -EOVERFLOW) {
		mount->options_cut = true;
		error = ask(id, most & ~(uint64_t)WANT_OPTIONS, answer);
	}
	if (error < 0)
		return error;
	/* Whether there is no subtype, or the kernel does not tell. */
	bool subtype = answer->mask & WANT_SUBTYPE;
	if (answer->magic == FUSE_SUPER_MAGIC && !subtype &&
	    !((answer->mask & WANT_SUPPORTED) && (answer->supported & WANT_SUBTYPE)))
		return -ENOSYS;
	mount->id = answer->id;
	mount->parent = answer->parent;
	mount->device = mountinfo_device(answer->device[0], answer->device[1]);
	append(mount->root, sizeof(mount->root), answer, WANT_ROOT, answer->root, &mount->root_cut);
	append(mount->place, sizeof(mount->place), answer, WANT_PLACE, answer->place,
	       &mount->place_cut);
	append(mount->type, sizeof(mount->type), answer, WANT_TYPE, answer->type, &mount->type_cut);
	if (subtype)
		put(mount->type, sizeof(mount->type), strlen(mount->type), '.', &mount->type_cut);
	append(mount->type, sizeof(mount->type), answer, WANT_SUBTYPE, answer->subtype,
	       &mount->type_cut);
	append(mount->options, sizeof(mount->options), answer, WANT_OPTIONS, answer->options,
	       &mount->options_cut);
	return 0;
}

int mountinfo_ask(mountinfo_visit_fn visit, void *data)
{
	struct answer answer;
	struct mountinfo mount;
	uint64_t ids[IDS_AT_ONCE];
	struct question question = { .size = sizeof(question), .id = WHOLE_TREE };
	for (;;) {
		long count = syscall(CALL_LISTMOUNT, &question, ids, IDS_AT_ONCE, 0);
		if (count < 0 && question.param == 0)
			return -ENOSYS; /* or a container's filter refuses it */
		if (count <= 0)
			return count < 0 ? -errno : 0;
		for (long i = 0; i < count; i++) {
			int result = fill(ids[i], &answer, &mount);
			if (result == 0)
				result = visit(&mount, data);
			if (result && result != -ENOENT)
				return result;
		}
		question.param = ids[count - 1];
	}
}
