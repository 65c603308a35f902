/* SPDX-License-Identifier: MIT */
/*
 * Bounds are compared key by key, one row each. A user's account has one number for each total;
 * each session remembers what it put there, so that giving back is exact, and can be done twice.
 */
#include "ceiling.h"

#include "landlock.h"
#include "landlock_floor.h"
#include "units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { USER_BUCKETS = 256, NUMBER_LENGTH = 32, BOUNDS = 24 };

struct ceiling_user {
	struct ceiling_user *next; /* in its chain */
	uid_t uid;
	size_t shares;
	uint64_t used[TOTALS];    /* of those that are bounded: without the next, never above it */
	uint64_t leaving[TOTALS]; /* the part of it that removed sessions hold */
};

struct ceiling {
	struct config most;
	bool named[BOUNDS]; /* in the order of the rows below */
	struct path_bound *paths;
	size_t path_count;
	uint64_t totals[TOTALS];
	bool named_totals[TOTALS];
	const char *advice[TOTALS]; /* NULL: none */
	uint64_t limits[LIMITS];
	bool limited[LIMITS]; /* named */
	struct ceiling_user *users[USER_BUCKETS];
};

__attribute__((format(printf, 3, 4))) static int refuse(struct reason *reason, int error,
							const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason->text, sizeof(reason->text), format, arguments);
	va_end(arguments);
	return error;
}

static int out_of_memory(struct reason *reason)
{
	return refuse(reason, -ENOMEM, "out of memory");
}

/* Numbers and their totals */

typedef void (*print_fn)(FILE *to, uint64_t value);

static void print_count(FILE *to, uint64_t value)
{
	fprintf(to, "%llu", (unsigned long long)value);
}

static const char *number_text(char text[static NUMBER_LENGTH], print_fn print, uint64_t value)
{
	if (value == UNITS_NONE)
		return "none";
	text[0] = '\0';
	FILE *to = fmemopen(text, NUMBER_LENGTH, "w");
	if (to) {
		print(to, value);
		(void)fclose(to);
	}
	return text;
}

static int parse_count(const char *text, uint64_t *count)
{
	return units_parse_count(text, 0, UNITS_NONE - 1, count);
}

static const struct total {
	const char *name, *key; /* of each session's part; NULL: it is one */
	int (*parse)(const char *text, uint64_t *value);
	print_fn print;
} totals[TOTALS] = {
	[TOTAL_SESSIONS] = { "user-sessions", NULL, parse_count, print_count },
	[TOTAL_MEMORY] = { "user-memory", "memory", units_parse_size, units_print_size },
	[TOTAL_PROCESSES] = { "user-processes", "processes", parse_count, print_count },
	[TOTAL_CPU] = { "user-cpu", "cpu", units_parse_milli, units_print_milli },
	[TOTAL_TERMINALS] = { "user-terminals", "terminals", parse_count, print_count },
	[TOTAL_SPOOL] = { "user-spool", "retain", units_parse_size, units_print_size },
	[TOTAL_DISK] = { "user-disk", "disk", units_parse_size, units_print_size },
};

static const struct limit {
	const char *name;
	int (*parse)(const char *text, uint64_t *value);
} limits[LIMITS] = {
	[LIMIT_HANDLES] = { "user-handles", parse_count },
	[LIMIT_BUFFERS] = { "user-buffers", units_parse_size },
};

/* The rows of bounds */

struct bound {
	const char *name;
	int (*judge)(const struct bound *bound, const struct ceiling *ceiling,
		     const struct config *asked, struct reason *reason);
	size_t offset; /* of a number in struct config, and how it is printed */
	print_fn print;
};

static uint64_t number_of(const struct config *config, const struct bound *bound)
{
	uint64_t number;
	memcpy(&number, (const char *)config + bound->offset, sizeof(number));
	return number;
}

static int judge_number(const struct bound *bound, const struct ceiling *ceiling,
			const struct config *asked, struct reason *reason)
{
	char text[2][NUMBER_LENGTH];
	uint64_t number = number_of(asked, bound), most = number_of(&ceiling->most, bound);
	if (number <= most)
		return 0;
	return refuse(reason, -EPERM, "%s: %s is above the ceiling of %s", bound->name,
		      number_text(text[0], bound->print, number),
		      number_text(text[1], bound->print, most));
}

static int judge_path(const struct ceiling *ceiling, const struct access_path *path,
		      struct reason *reason)
{
	for (const struct path_bound *bound = ceiling->paths; bound && bound->path; bound++)
		if (path_kind_covers(bound->kind, path->kind) &&
		    access_is_below(path->outside, bound->path))
			return 0;
	return refuse(reason, -EPERM, "%s: %.150s is not at or below a path of the ceiling",
		      access_kind_name(path->kind), path->outside);
}

/* A row for each key: one key's directories may serve the other. */
static int judge_paths(const struct bound *bound, const struct ceiling *ceiling,
		       const struct config *asked, struct reason *reason)
{
	enum path_kind kind = access_kind(bound->name);
	int error = 0;
	for (size_t i = 0; error == 0 && i < asked->access.path_count; i++)
		if (asked->access.paths[i].kind == kind)
			error = judge_path(ceiling, &asked->access.paths[i], reason);
	return error;
}

static bool has_port(const struct access *access, uint16_t port)
{
	for (size_t i = 0; i < access->port_count; i++)
		if (access->ports[i] == port)
			return true;
	return false;
}

/* Where the ceiling is of ports, hosts are reached at no others. */
static int judge_ports_of_names(const struct ceiling *ceiling, const struct names *names,
				struct reason *reason)
{
	const struct access *most = &ceiling->most.access;
	for (size_t i = 0; i < names->count; i++)
		for (unsigned p = 0; p < names->rules[i].port_count; p++)
			if (!has_port(most, names->rules[i].ports[p]))
				return refuse(reason, -EPERM,
					      "allow: port %u is not one of the ceiling's network",
					      names->rules[i].ports[p]);
	return 0;
}

static int judge_network(const struct bound *bound, const struct ceiling *ceiling,
			 const struct config *asked, struct reason *reason)
{
	const struct access *access = &asked->access, *most = &ceiling->most.access;
	if (access->network > most->network)
		return refuse(reason, -EPERM, "%s: %s is above the ceiling of %s", bound->name,
			      access_network_name(access->network),
			      access_network_name(most->network));
	if (access->network == NETWORK_NAMES && most->network == NETWORK_TCP)
		return judge_ports_of_names(ceiling, &access->names, reason);
	if (access->network != NETWORK_TCP || most->network != NETWORK_TCP)
		return 0;
	for (size_t i = 0; i < access->port_count; i++)
		if (!has_port(most, access->ports[i]))
			return refuse(reason, -EPERM, "%s: port %u is not one of the ceiling's",
				      bound->name, access->ports[i]);
	return 0;
}

static int judge_names(const struct ceiling *ceiling, const struct names *names,
		       struct reason *reason)
{
	const struct access *most = &ceiling->most.access;
	for (size_t i = 0; i < names->count; i++) {
		const struct names_rule *rule = &names->rules[i];
		if (rule->deny || names_covers(&most->names, rule))
			continue;
		return refuse(reason, -EPERM,
			      "allow: %s%.150s is not within an 'allow' of the ceiling",
			      rule->kind == NAMES_BELOW ? "*." : "", rule->host);
	}
	return 0;
}

static int judge_allow(const struct bound *bound, const struct ceiling *ceiling,
		       const struct config *asked, struct reason *reason)
{
	(void)bound;
	return judge_names(ceiling, &asked->access.names, reason);
}

/* What it denies is denied, whatever a session's config says. */
static int judge_deny(const struct bound *bound, const struct ceiling *ceiling,
		      const struct config *asked, struct reason *reason)
{
	(void)bound, (void)ceiling, (void)asked, (void)reason;
	return 0;
}

/* As it comes to be: a network brings a profile with it, in the ceiling as well. */
static int judge_seccomp(const struct bound *bound, const struct ceiling *ceiling,
			 const struct config *asked, struct reason *reason)
{
	enum sysfilter_profile profile = access_filter(&asked->access).profile;
	enum sysfilter_profile most = access_filter(&ceiling->most.access).profile;
	if (profile <= most)
		return 0;
	return refuse(reason, -EPERM, "%s: %s is above the ceiling of %s", bound->name,
		      sysfilter_profile_name(profile), sysfilter_profile_name(most));
}

static int judge_fork(const struct bound *bound, const struct ceiling *ceiling,
		      const struct config *asked, struct reason *reason)
{
	if (!asked->access.fork || ceiling->most.access.fork)
		return 0;
	return refuse(reason, -EPERM, "%s: yes is above the ceiling of no", bound->name);
}

static int judge_ptrace(const struct bound *bound, const struct ceiling *ceiling,
			const struct config *asked, struct reason *reason)
{
	if (!asked->access.ptrace || ceiling->most.access.ptrace)
		return 0;
	return refuse(reason, -EPERM, "%s: yes is above the ceiling of no", bound->name);
}

/* With `auto` what the kernel has is in force. */
static int judge_machine(const struct bound *bound, uint64_t least, struct reason *reason)
{
	int abi = landlock_abi();
	if (abi >= (int)least || least == 0)
		return 0;
	return refuse(reason, -EPERM,
		      "%s: this kernel's version, %d, is below the %d of the ceiling", bound->name,
		      abi > 0 ? abi : 0, (int)least);
}

static int judge_landlock(const struct bound *bound, const struct ceiling *ceiling,
			  const struct config *asked, struct reason *reason)
{
	char text[NUMBER_LENGTH];
	uint64_t version = asked->access.landlock, least = ceiling->most.access.landlock;
	if (least == LANDLOCK_AUTO)
		least = (uint64_t)landlock_floor_of_network(asked->access.network);
	else if (version == LANDLOCK_AUTO)
		return judge_machine(bound, least, reason);
	if (version >= least)
		return 0;
	return refuse(reason, -EPERM, "%s: %s is below the %llu of the ceiling", bound->name,
		      number_text(text, print_count, version ? version : UNITS_NONE),
		      (unsigned long long)least);
}

/* Versions of clang-format differ. */
/* clang-format off */
#define NUMBER(name, field, print) { name, judge_number, offsetof(struct config, field), print }
/* clang-format on */

static const struct bound bounds[] = {
	NUMBER("timeout", timeout_ns, units_print_duration),
	NUMBER("idle-timeout", idle_timeout_ns, units_print_duration),
	NUMBER("kill-grace", kill_grace_ns, units_print_duration),
	NUMBER("memory", memory, units_print_size),
	NUMBER("processes", processes, print_count),
	NUMBER("cpu", cpu_milli, units_print_milli),
	NUMBER("open-files", open_files, print_count),
	NUMBER("file-size", file_size, units_print_size),
	NUMBER("tmp-size", tmp_size, units_print_size),
	NUMBER("disk", disk, units_print_size),
	NUMBER("terminals", terminals, print_count),
	NUMBER("retain", retain, units_print_size),
	{ "ro", judge_paths, 0, NULL },
	{ "rw", judge_paths, 0, NULL },
	{ "overlay", judge_paths, 0, NULL },
	{ "root", judge_paths, 0, NULL },
	{ "device", judge_paths, 0, NULL },
	{ "network", judge_network, 0, NULL },
	{ "allow", judge_allow, 0, NULL },
	{ "deny", judge_deny, 0, NULL },
	{ "seccomp", judge_seccomp, 0, NULL },
	{ "fork", judge_fork, 0, NULL },
	{ "ptrace", judge_ptrace, 0, NULL },
	{ "landlock", judge_landlock, 0, NULL },
};
_Static_assert(sizeof(bounds) / sizeof(bounds[0]) == BOUNDS, "one flag a row");

/* The text */

static int take_number(const char *name, int (*parse)(const char *text, uint64_t *value),
		       const char *value, uint64_t *out, struct reason *reason)
{
	int error = 0;
	uint64_t number = UNITS_NONE;
	if (strcmp(value, "none") != 0)
		error = parse(value, &number);
	if (error < 0)
		return refuse(reason, error, "%s '%.100s': %s", name, value,
			      error == -ERANGE ? "out of bounds" : "malformed");
	*out = number;
	return 0;
}

static int take_total(struct ceiling *ceiling, enum ceiling_total total, const char *value,
		      struct reason *reason)
{
	ceiling->named_totals[total] = true;
	return take_number(totals[total].name, totals[total].parse, value, &ceiling->totals[total],
			   reason);
}

static int take_limit(struct ceiling *ceiling, enum ceiling_limit limit, const char *value,
		      struct reason *reason)
{
	ceiling->limited[limit] = true;
	return take_number(limits[limit].name, limits[limit].parse, value, &ceiling->limits[limit],
			   reason);
}

/* Always ended by one without a path. */
static int grow_paths(struct ceiling *ceiling)
{
	struct path_bound *paths =
		realloc(ceiling->paths, (ceiling->path_count + 2) * sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	ceiling->paths = paths;
	paths[ceiling->path_count] = (struct path_bound){ 0 };
	return 0;
}

static int take_path(struct ceiling *ceiling, const char *value, enum path_kind kind,
		     struct reason *reason)
{
	if (grow_paths(ceiling) < 0)
		return out_of_memory(reason);
	if (strcmp(value, "none") == 0)
		return 0;
	char *path = strdup(value);
	if (!path)
		return out_of_memory(reason);
	if (strchr(path, ':') || !access_tidy(path)) {
		free(path);
		return refuse(reason, -EINVAL,
			      "%s '%.100s': neither none nor an absolute path without ':', '.' and "
			      "'..'",
			      access_kind_name(kind), value);
	}
	ceiling->paths[ceiling->path_count++] = (struct path_bound){ path, kind };
	ceiling->paths[ceiling->path_count] = (struct path_bound){ 0 };
	return 0;
}

static int take_bound(struct ceiling *ceiling, const struct bound *bound, const char *value,
		      struct reason *reason)
{
	bool is_path = bound->judge == judge_paths;
	int error = is_path ? take_path(ceiling, value, access_kind(bound->name), reason)
			    : config_set(&ceiling->most, NULL, bound->name, value, reason);
	if (error < 0)
		return error;
	for (size_t i = 0; i < BOUNDS; i++)
		ceiling->named[i] |=
			&bounds[i] == bound || (is_path && bounds[i].judge == judge_paths);
	return 0;
}

/* Whatever is bounded, devices must be named. */
static void bound_devices(struct ceiling *ceiling)
{
	for (size_t i = 0; i < BOUNDS; i++)
		ceiling->named[i] |= strcmp(bounds[i].name, "device") == 0;
}

static int take_line(void *data, const char *name, const char *value, struct reason *reason)
{
	struct ceiling *ceiling = data;
	bound_devices(ceiling);
	if (*value == '\0' && strcmp(name, "reset") != 0)
		return refuse(reason, -EINVAL, "key '%.100s' has no value", name);
	for (int i = 0; i < TOTALS; i++)
		if (strcmp(totals[i].name, name) == 0)
			return take_total(ceiling, (enum ceiling_total)i, value, reason);
	for (int i = 0; i < LIMITS; i++)
		if (strcmp(limits[i].name, name) == 0)
			return take_limit(ceiling, (enum ceiling_limit)i, value, reason);
	for (size_t i = 0; i < BOUNDS; i++)
		if (strcmp(bounds[i].name, name) == 0)
			return take_bound(ceiling, &bounds[i], value, reason);
	if (config_has_key(name) || strcmp(name, "reset") == 0)
		return refuse(reason, -EINVAL, "'%s' is nothing that a ceiling bounds", name);
	return refuse(reason, -EINVAL, "unknown key '%.100s'", name);
}

int ceiling_create(const char *text, struct ceiling **out, unsigned *line, struct reason *reason)
{
	struct ceiling *ceiling = calloc(1, sizeof(*ceiling));
	*line = 0;
	if (!ceiling)
		return out_of_memory(reason);
	for (int i = 0; i < TOTALS; i++)
		ceiling->totals[i] = UNITS_NONE;
	int error = config_init(&ceiling->most);
	if (error < 0)
		(void)out_of_memory(reason);
	else
		config_read(text, strlen(text), take_line, ceiling, &error, line, reason);
	if (error < 0) {
		ceiling_destroy(ceiling);
		return error;
	}
	*out = ceiling;
	return 0;
}

void ceiling_assume(struct ceiling *ceiling, enum ceiling_total total, uint64_t amount,
		    const char *advice)
{
	if (ceiling->named_totals[total])
		return;
	ceiling->totals[total] = amount;
	ceiling->advice[total] = advice;
}

void ceiling_destroy(struct ceiling *ceiling)
{
	if (!ceiling)
		return;
	for (size_t i = 0; i < ceiling->path_count; i++)
		free(ceiling->paths[i].path);
	free(ceiling->paths);
	config_finish(&ceiling->most);
	free(ceiling);
}

uint64_t ceiling_limit(const struct ceiling *ceiling, uid_t uid, enum ceiling_limit limit,
		       uint64_t otherwise)
{
	return ceiling && uid != 0 && ceiling->limited[limit] ? ceiling->limits[limit] : otherwise;
}

const struct names *ceiling_names(const struct ceiling_share *share)
{
	return share->ceiling ? &share->ceiling->most.access.names : NULL;
}

static bool names_key(const struct ceiling *ceiling, const char *key)
{
	for (size_t i = 0; i < BOUNDS; i++)
		if (strcmp(bounds[i].name, key) == 0)
			return ceiling->named[i];
	return false;
}

int ceiling_judge_names(const struct ceiling_share *share, const struct names *names,
			struct reason *reason)
{
	const struct ceiling *ceiling = share->ceiling;
	int error = 0;
	if (ceiling && names_key(ceiling, "network") && ceiling->most.access.network == NETWORK_TCP)
		error = judge_ports_of_names(ceiling, names, reason);
	if (error == 0 && ceiling && names_key(ceiling, "allow"))
		error = judge_names(ceiling, names, reason);
	return error;
}

const struct path_bound *ceiling_paths(const struct ceiling_share *share, unsigned *count)
{
	const struct path_bound *paths = share->ceiling ? share->ceiling->paths : NULL;
	if (count)
		*count = paths ? (unsigned)share->ceiling->path_count + 1 : 0;
	return paths;
}

/* Users */

static struct ceiling_user **find_user(struct ceiling *ceiling, uid_t uid)
{
	struct ceiling_user **at = &ceiling->users[uid % USER_BUCKETS];
	while (*at && (*at)->uid != uid)
		at = &(*at)->next;
	return at;
}

int ceiling_enter(struct ceiling *ceiling, uid_t uid, struct ceiling_share *share)
{
	*share = (struct ceiling_share){ 0 };
	if (!ceiling || uid == 0)
		return 0;
	uint64_t most = ceiling->totals[TOTAL_SESSIONS];
	struct ceiling_user **at = find_user(ceiling, uid);
	if ((*at ? (*at)->used[TOTAL_SESSIONS] - (*at)->leaving[TOTAL_SESSIONS] : 0) >= most)
		return -EDQUOT;
	return ceiling_restore(ceiling, uid, (const uint64_t[TOTALS]){ [TOTAL_SESSIONS] = 1 },
			       share);
}

int ceiling_restore(struct ceiling *ceiling, uid_t uid, const uint64_t held[static TOTALS],
		    struct ceiling_share *share)
{
	*share = (struct ceiling_share){ 0 };
	if (!ceiling || uid == 0)
		return 0;
	struct ceiling_user **at = find_user(ceiling, uid);
	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return -ENOMEM;
		(*at)->uid = uid;
	}
	(*at)->shares++;
	*share = (struct ceiling_share){ .ceiling = ceiling, .user = *at };
	for (int i = 0; i < TOTALS; i++) {
		(*at)->used[i] += held[i];
		share->held[i] = held[i];
	}
	return 0;
}

void ceiling_release(struct ceiling_share *share, enum ceiling_total total)
{
	if (!share->user)
		return;
	share->user->used[total] -= share->held[total];
	share->user->leaving[total] -= share->leaving[total];
	share->held[total] = share->leaving[total] = 0;
}

void ceiling_remove(struct ceiling_share *share, bool read)
{
	if (!share->user)
		return;
	for (int i = 0; i < TOTALS; i++) {
		if (i == TOTAL_SPOOL && read)
			continue;
		share->user->leaving[i] += share->held[i] - share->leaving[i];
		share->leaving[i] = share->held[i];
	}
}

void ceiling_leave(struct ceiling_share *share)
{
	struct ceiling_user *user = share->user;
	if (!user)
		return;
	for (int i = 0; i < TOTALS; i++)
		ceiling_release(share, (enum ceiling_total)i);
	if (--user->shares == 0) {
		*find_user(share->ceiling, user->uid) = user->next;
		free(user);
	}
	*share = (struct ceiling_share){ 0 };
}

/* What is asked for */

/* What a session of this config counts for while it runs. */
static void count_totals(const struct config *config, uint64_t amounts[static TOTALS])
{
	/* What a sandbox has is counted for the session that has it. */
	bool own = !config->in;
	amounts[TOTAL_SESSIONS] = 0;
	amounts[TOTAL_MEMORY] = own ? config->memory : 0;
	amounts[TOTAL_PROCESSES] = own ? config->processes : 0;
	amounts[TOTAL_CPU] = own ? config->cpu_milli : 0;
	amounts[TOTAL_TERMINALS] = own ? config->terminals : 0;
	amounts[TOTAL_DISK] = own ? config->disk : 0;
	/* Pipes have a spool each, of their own size. */
	amounts[TOTAL_SPOOL] = config->terminal ? config->retain : 2 * config->retain;
}

static int judge_total(const struct ceiling *ceiling, enum ceiling_total total, uint64_t used,
		       uint64_t amount, struct reason *reason)
{
	char text[3][NUMBER_LENGTH];
	const struct total *row = &totals[total];
	uint64_t most = ceiling->totals[total];
	if (most == UNITS_NONE || (amount <= most && used <= most - amount))
		return 0;
	const char *more = number_text(text[0], row->print, amount);
	const char *bound = number_text(text[1], row->print, most);
	const char *advice = ceiling->advice[total] ? ceiling->advice[total] : "";
	const char *mark = *advice ? "; " : "";
	if (amount > most)
		return refuse(reason, -EPERM, "%s: %s is above the ceiling of %s%s%s", row->name,
			      more, bound, mark, advice);
	return refuse(reason, -EPERM,
		      "%s: %s beside the %s of other sessions is above the ceiling "
		      "of %s%s%s",
		      row->name, more, number_text(text[2], row->print, used), bound, mark, advice);
}

static bool is_affected(const struct bound *bound, const char *key)
{
	return strcmp(bound->name, key) == 0 ||
	       (bound->judge == judge_seccomp && strcmp(key, "network") == 0);
}

/* Those that a session has itself also where it is in another's sandbox. */
static bool is_of_session(const struct bound *bound)
{
	static const char *const names[] = { "timeout", "idle-timeout", "kill-grace", "retain" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(bound->name, names[i]) == 0)
			return true;
	return false;
}

static int judge_bounds(const struct ceiling *ceiling, const struct config *asked, const char *key,
			struct reason *reason)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < BOUNDS; i++)
		if (ceiling->named[i] && (!key || is_affected(&bounds[i], key)) &&
		    (key || !asked->in || is_of_session(&bounds[i])))
			error = bounds[i].judge(&bounds[i], ceiling, asked, reason);
	return error;
}

/* Only those that have one in common with removed sessions can be in their way. */
static bool is_left_soon(const struct ceiling_share *share, const uint64_t amounts[static TOTALS])
{
	const struct ceiling_user *user = share->user;
	bool waits = false;
	for (int i = TOTAL_SESSIONS; i < TOTALS; i++) {
		uint64_t most = share->ceiling->totals[i];
		uint64_t left = user->used[i] - user->leaving[i];
		if (most == UNITS_NONE)
			continue;
		if (amounts[i] > most || left > most - amounts[i])
			return false;
		waits |= user->used[i] > most - amounts[i];
	}
	return waits;
}

int ceiling_take(struct ceiling_share *share, const struct config *config, struct reason *reason)
{
	uint64_t amounts[TOTALS];
	if (!share->user)
		return 0;
	const struct ceiling *ceiling = share->ceiling;
	int error = judge_bounds(ceiling, config, NULL, reason);
	count_totals(config, amounts);
	for (int i = TOTAL_MEMORY; error == 0 && i < TOTALS; i++)
		ceiling_release(share, (enum ceiling_total)i);
	if (error == 0 && is_left_soon(share, amounts))
		return -ERESTART;
	/* What does not fit now does not fit beside the sessions that stay either. */
	for (int i = TOTAL_MEMORY; error == 0 && i < TOTALS; i++)
		error = judge_total(ceiling, (enum ceiling_total)i,
				    share->user->used[i] - share->user->leaving[i], amounts[i],
				    reason);
	for (int i = TOTAL_MEMORY; error == 0 && i < TOTALS; i++)
		if (ceiling->totals[i] != UNITS_NONE) {
			share->held[i] = amounts[i];
			share->user->used[i] += amounts[i];
		}
	return error;
}

/* A line by itself: what is wrong with others, or with the defaults, is not its fault. */
static int judge_line(const struct ceiling *ceiling, const char *key, const char *value,
		      struct reason *reason)
{
	struct config asked;
	uint64_t amounts[TOTALS];
	if (config_init(&asked) < 0)
		return out_of_memory(reason);
	int error = config_set(&asked, NULL, key, value, reason);
	if (error == 0)
		error = judge_bounds(ceiling, &asked, key, reason);
	count_totals(&asked, amounts);
	for (int i = 0; error == 0 && i < TOTALS; i++)
		if (totals[i].key && strcmp(totals[i].key, key) == 0)
			error = judge_total(ceiling, (enum ceiling_total)i, 0, amounts[i], reason);
	config_finish(&asked);
	return error;
}

static bool is_bounded(const char *key)
{
	for (size_t i = 0; i < BOUNDS; i++)
		if (strcmp(bounds[i].name, key) == 0)
			return true;
	return false;
}

struct asking {
	const struct ceiling *ceiling; /* NULL: none */
	struct config *config;
	const struct config *defaults;
};

static int take_asked(void *data, const char *key, const char *value, struct reason *reason)
{
	const struct asking *asking = data;
	int error = asking->ceiling && is_bounded(key) && *value
			    ? judge_line(asking->ceiling, key, value, reason)
			    : 0;
	return error < 0 ? error : config_set(asking->config, asking->defaults, key, value, reason);
}

size_t ceiling_apply(const struct ceiling_share *share, struct config *config,
		     const struct config *defaults, const char *text, size_t size, int *error,
		     unsigned *line, struct reason *reason)
{
	struct asking asking = { share->ceiling, config, defaults };
	return config_read(text, size, take_asked, &asking, error, line, reason);
}
