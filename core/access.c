/* SPDX-License-Identifier: MIT */
#include "access.h"

#include "landlock.h"
#include "overlay.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS_MAX = 64, PATHS_MAX = 128 };

/* Paths */

/* Absolute, and the same place whoever reads it. */
static bool is_plain(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		size_t length = strcspn(part, "/");
		if ((length == 1 && part[0] == '.') ||
		    (length == 2 && part[0] == '.' && part[1] == '.'))
			return false;
	}
	return true;
}

bool access_is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	return length == 1 || (strncmp(path, directory, length) == 0 &&
			       (path[length] == '/' || path[length] == '\0'));
}

/* One slash between parts and none at the end, so that the same place has one name. */
static void tidy(char *path)
{
	char *to = path;
	for (const char *from = path; *from; from++)
		if (*from != '/' || to == path || to[-1] != '/')
			*to++ = *from;
	while (to > path + 1 && to[-1] == '/')
		to--;
	*to = '\0';
}

bool access_tidy(char *path)
{
	tidy(path);
	return is_plain(path);
}

static const char *refuse_path(const char *outside, const char *inside, enum path_kind kind)
{
	if (!is_plain(outside) || !is_plain(inside))
		return "not an absolute path without '.' and '..'";
	if (kind == PATH_ROOT)
		return strcmp(outside, "/") == 0 ? "that is what is there without it" : NULL;
	if (kind == PATH_DEVICE)
		return strncmp(inside, "/dev/", 5) != 0 ? "a device has a name below /dev" : NULL;
	if (strcmp(inside, "/") == 0 || access_is_below(inside, "/proc") ||
	    access_is_below(inside, "/dev"))
		return "that place is the sandbox's own (name another: OUTSIDE:INSIDE)";
	return NULL;
}

static struct access_path *place_for(struct access *access, const char *inside)
{
	for (size_t i = 0; i < access->path_count; i++)
		if (strcmp(access->paths[i].inside, inside) == 0)
			return &access->paths[i];
	struct access_path *paths =
		realloc(access->paths, (access->path_count + 1) * sizeof(*paths));
	if (!paths)
		return NULL;
	access->paths = paths;
	paths[access->path_count] = (struct access_path){ 0 };
	return &paths[access->path_count++];
}

static int put_path(struct access *access, char *outside, char *inside, enum path_kind kind)
{
	struct access_path *path = outside && inside ? place_for(access, inside) : NULL;
	if (!path) {
		free(outside);
		free(inside);
		return -ENOMEM;
	}
	free(path->outside);
	free(path->inside);
	*path = (struct access_path){ outside, inside, kind };
	return 0;
}

/* \: and \\ and, as in proc_pid_mounts(5), \ooo. Any other backslash stands for itself. */
static char unescape(const char **at)
{
	const char *from = *at + 1;
	char byte = **at;
	*at = from;
	if (byte != '\\' || !*from)
		return byte;
	if (*from == ':' || *from == '\\') {
		byte = *from;
		*at = from + 1;
	} else if (*from <= '3' && strspn(from, "01234567") >= 3 && memcmp(from, "000", 3) != 0) {
		byte = (char)((from[0] - '0') * 64 + (from[1] - '0') * 8 + (from[2] - '0'));
		*at = from + 3;
	}
	return byte;
}

/* A path up to `end`, or to that of the text. */
static char *read_path(const char **at, char end)
{
	char *path = malloc(strlen(*at) + 1), *to = path;
	while (path && **at && **at != end)
		*to++ = unescape(at);
	if (path)
		*to = '\0';
	return path;
}

char *access_read_path(const char *text, size_t size)
{
	char *copy = strndup(text, size);
	const char *at = copy;
	char *path = copy ? read_path(&at, '\0') : NULL;
	free(copy);
	return path;
}

/* A name that has a colon in it is cut there, and the one who gave it has to be told. */
static const char *refuse_value(const char *outside, const char *inside, bool colon,
				enum path_kind kind)
{
	if (colon && !is_plain(inside))
		return "what follows ':' is not an absolute path (a ':' in a name is written \\:)";
	return refuse_path(outside, inside, kind);
}

unsigned access_count(const struct access *access, enum path_kind kind)
{
	unsigned count = 0;
	for (size_t i = 0; i < access->path_count; i++)
		count += access->paths[i].kind == kind;
	return count;
}

unsigned access_overlays(const struct access *access)
{
	return access_count(access, PATH_OVERLAY);
}

/* Two copies of one directory could not both be brought back. */
static const char *refuse_overlay(const struct access *access, const char *outside,
				  const char *inside)
{
	unsigned others = 0;
	for (size_t i = 0; i < access->path_count; i++) {
		const struct access_path *path = &access->paths[i];
		if (path->kind != PATH_OVERLAY || strcmp(path->inside, inside) == 0)
			continue;
		if (strcmp(path->outside, outside) == 0)
			return "there is an overlay of that directory already";
		others++;
	}
	return others >= OVERLAYS_MAX ? "that is one overlay too many" : NULL;
}

int access_add_path(struct access *access, const char *value, enum path_kind kind, const char **why)
{
	const char *at = value;
	char *outside = read_path(&at, ':');
	bool colon = outside && *at == ':';
	at = colon ? at + 1 : value;
	char *inside = read_path(&at, '\0');
	if (outside && inside && kind == PATH_ROOT && !colon)
		strcpy(inside, "/"); /* its place; so there is one */
	if (outside && inside) {
		tidy(outside);
		tidy(inside);
		bool full = access->path_count == PATHS_MAX;
		*why = full ? "that is one path too many"
			    : refuse_value(outside, inside, colon, kind);
		if (!*why && kind == PATH_OVERLAY)
			*why = refuse_overlay(access, outside, inside);
		if (*why) {
			free(outside);
			free(inside);
			return full ? -E2BIG : -EINVAL;
		}
	}
	return put_path(access, outside, inside, kind);
}

/* A blank at the end would be taken for the line's. */
void access_print_path(const char *path, FILE *to)
{
	for (const char *at = path; *at; at++)
		if (*at == ':' || *at == '\\')
			fprintf(to, "\\%c", *at);
		else if (*at == '\n' || *at == '\r' || (!at[1] && strchr(" \t", *at)))
			fprintf(to, "\\%03o", (unsigned char)*at);
		else
			fputc(*at, to);
}

static const char *const kinds[] = {
	[PATH_RO] = "ro",         [PATH_OVERLAY] = "overlay", [PATH_RW] = "rw",
	[PATH_DEVICE] = "device", [PATH_ROOT] = "root",
};

const char *access_kind_name(enum path_kind kind)
{
	return kinds[kind];
}

enum path_kind access_kind(const char *name)
{
	enum path_kind kind = PATH_ROOT;
	while (kind > PATH_RO && strcmp(kinds[kind], name) != 0)
		kind--;
	return kind;
}

void access_print_paths(const struct access *access, enum path_kind kind, FILE *to)
{
	for (size_t i = 0; i < access->path_count; i++) {
		const struct access_path *path = &access->paths[i];
		if (path->kind != kind)
			continue;
		fprintf(to, "%s ", access_kind_name(kind));
		access_print_path(path->outside, to);
		if (kind != PATH_ROOT && strcmp(path->outside, path->inside) != 0) {
			fputc(':', to);
			access_print_path(path->inside, to);
		}
		fputc('\n', to);
	}
}

/* Network */

static int parse_ports(char *list, uint16_t *ports, size_t *count)
{
	char *rest = list;
	*count = 0;
	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		uint64_t port;
		if (*count == PORTS_MAX)
			return -ERANGE;
		int error = units_parse_count(word + strspn(word, " \t"), 1, 65535, &port);
		if (error < 0)
			return error;
		ports[(*count)++] = (uint16_t)port;
	}
	return *count ? 0 : -EINVAL;
}

static int set_ports(struct access *access, const char *list)
{
	uint16_t ports[PORTS_MAX];
	size_t count;
	char *copy = strdup(list);
	if (!copy)
		return -ENOMEM;
	int error = parse_ports(copy, ports, &count);
	free(copy);
	if (error < 0)
		return error;
	uint16_t *kept = malloc(count * sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	memcpy(kept, ports, count * sizeof(*kept));
	free(access->ports);
	access->ports = kept;
	access->port_count = count;
	access->network = NETWORK_TCP;
	return 0;
}

int access_set_network(struct access *access, const char *value)
{
	if (strncmp(value, "tcp", 3) == 0 && (value[3] == ' ' || value[3] == '\t'))
		return set_ports(access, value + 4);
	if (strcmp(value, "none") == 0)
		access->network = NETWORK_NONE;
	else if (strcmp(value, "names") == 0)
		access->network = NETWORK_NAMES;
	else if (strcmp(value, "host") == 0)
		access->network = NETWORK_HOST;
	else
		return -EINVAL;
	return 0;
}

const char *access_network_name(enum network network)
{
	static const char *const names[] = { "none", "names", "tcp", "host" };
	return names[network];
}

bool access_has_addresses(const struct access *access)
{
	for (size_t i = 0; i < access->names.count; i++)
		if (access->names.rules[i].kind == NAMES_ADDRESS && !access->names.rules[i].deny)
			return true;
	return false;
}

void access_print_names(const struct access *access, bool deny, FILE *to)
{
	for (size_t i = 0; i < access->names.count; i++) {
		const struct names_rule *rule = &access->names.rules[i];
		if (rule->deny != deny)
			continue;
		fputs(deny ? "deny " : "allow ", to);
		names_print_rule(rule, to);
		fputc('\n', to);
	}
}

void access_print_network(const struct access *access, FILE *to)
{
	fprintf(to, "network %s", access_network_name(access->network));
	for (size_t i = 0; access->network == NETWORK_TCP && i < access->port_count; i++)
		fprintf(to, "%c%u", i ? ',' : ' ', access->ports[i]);
	fputc('\n', to);
}

int access_set_published(struct access *access, const char *value)
{
	uint16_t ports[PORTS_MAX];
	size_t count = 0;
	char *copy = strcmp(value, "none") == 0 ? NULL : strdup(value);
	if (!copy && strcmp(value, "none") != 0)
		return -ENOMEM;
	int error = copy ? parse_ports(copy, ports, &count) : 0;
	free(copy);
	if (error == 0 && count > ACCESS_PUBLISHED_MAX)
		error = -ERANGE;
	if (error < 0)
		return error;
	access->published_count = 0;
	for (size_t i = 0; i < count; i++) {
		unsigned at = 0;
		while (at < access->published_count && access->published[at] != ports[i])
			at++;
		access->published[at] = ports[i];
		access->published_count += at == access->published_count;
	}
	return 0;
}

void access_print_published(const struct access *access, FILE *to)
{
	fputs("publish", to);
	for (unsigned i = 0; i < access->published_count; i++)
		fprintf(to, "%c%u", i ? ',' : ' ', access->published[i]);
	fputs(access->published_count ? "\n" : " none\n", to);
}

/* Landlock */

int access_set_landlock(struct access *access, const char *value)
{
	uint64_t version = strcmp(value, "auto") == 0 ? LANDLOCK_AUTO : 0;
	int error = version || strcmp(value, "none") == 0
			    ? 0
			    : units_parse_count(value, 1, LANDLOCK_ABI_ALL, &version);
	if (error == 0)
		access->landlock = version;
	return error;
}

void access_print_landlock(const struct access *access, FILE *to)
{
	if (access->landlock == LANDLOCK_AUTO)
		fputs("landlock auto\n", to);
	else if (access->landlock == 0)
		fputs("landlock none\n", to);
	else
		fprintf(to, "landlock %" PRIu64 "\n", access->landlock);
}

/* The whole */

int access_copy(struct access *to, const struct access *from)
{
	*to = *from;
	to->paths = NULL;
	to->path_count = 0;
	to->ports = NULL;
	int error = names_copy(&to->names, &from->names);
	for (size_t i = 0; error == 0 && i < from->path_count; i++) {
		const struct access_path *path = &from->paths[i];
		error = put_path(to, strdup(path->outside), strdup(path->inside), path->kind);
	}
	if (error == 0 && from->port_count) {
		to->ports = malloc(from->port_count * sizeof(*to->ports));
		error = to->ports ? 0 : -ENOMEM;
		if (to->ports)
			memcpy(to->ports, from->ports, from->port_count * sizeof(*to->ports));
	}
	if (error < 0)
		access_finish(to);
	return error;
}

void access_finish(struct access *access)
{
	for (size_t i = 0; i < access->path_count; i++) {
		free(access->paths[i].outside);
		free(access->paths[i].inside);
	}
	free(access->paths);
	free(access->ports);
	names_finish(&access->names);
	*access = (struct access){ 0 };
}

/* A network that is there is of no use without sockets for it, and the ceiling knows it by them. */
struct sysfilter_options access_filter(const struct access *access)
{
	struct sysfilter_options options = {
		.profile = access->seccomp,
		.fork = access->fork,
		.tcp_only = access->network == NETWORK_TCP,
		.ptrace = access->ptrace,
		.own_network = access_own_network(access),
	};
	if (access->network != NETWORK_NONE && options.profile < SYSFILTER_NETWORK)
		options.profile = SYSFILTER_NETWORK;
	return options;
}
