/* SPDX-License-Identifier: MIT */
/*
 * One row a key: how it is parsed and how it is printed.
 */
#include "config.h"

#include "home.h"
#include "json_strings.h"
#include "landlock.h"
#include "units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct key;
typedef int (*parse_fn)(struct config *config, const struct key *key, const char *value,
			struct reason *reason);
typedef void (*print_fn)(const struct config *config, const struct key *key, FILE *to);

struct key {
	const char *name;
	parse_fn parse;
	print_fn print;
	size_t offset; /* of the field, for keys that are one number */
	uint64_t min, max;
	bool none; /* `none` is a value */
};

__attribute__((format(printf, 2, 3))) static int refuse(struct reason *reason, const char *format,
							...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason->text, sizeof(reason->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int out_of_memory(struct reason *reason)
{
	refuse(reason, "out of memory");
	return -ENOMEM;
}

static void free_vector(char **vector)
{
	for (size_t i = 0; vector && vector[i]; i++)
		free(vector[i]);
	free(vector);
}

static char **copy_vector(char *const *vector)
{
	size_t count = 0;
	while (vector[count])
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(vector[i]);
		if (!copy[i]) {
			free_vector(copy);
			return NULL;
		}
	}
	return copy;
}

/* command, argv */

static int parse_command(struct config *config, const struct key *key, const char *value,
			 struct reason *reason)
{
	(void)key;
	if (value[strspn(value, " \t")] == '\0')
		return refuse(reason, "empty command");
	char *copy = strdup(value);
	if (!copy)
		return out_of_memory(reason);
	free(config->command);
	config->command = copy;
	return 0;
}

static void print_command(const struct config *config, const struct key *key, FILE *to)
{
	if (config->command)
		fprintf(to, "%s %s\n", key->name, config->command);
}

static int parse_argv(struct config *config, const struct key *key, const char *value,
		      struct reason *reason)
{
	(void)key;
	char **parsed;
	struct json_strings_error where;
	int error = json_strings_parse(value, &parsed, &where);
	if (error == -ENOMEM)
		return out_of_memory(reason);
	if (error < 0)
		return refuse(reason, "argv: element %zu: %s (at byte %zu)", where.element,
			      where.why, where.position);
	char **vector = *parsed[0] ? copy_vector(parsed) : NULL;
	bool empty = !*parsed[0];
	free(parsed);
	if (empty)
		return refuse(reason, "argv: empty command");
	if (!vector)
		return out_of_memory(reason);
	free_vector(config->argv);
	config->argv = vector;
	free(config->command);
	config->command = NULL;
	return 0;
}

static void print_argv(const struct config *config, const struct key *key, FILE *to)
{
	if (config->command)
		return;
	fprintf(to, "%s ", key->name);
	json_strings_print(config->argv, to);
	fputc('\n', to);
}

/* env, cwd */

bool config_has_home(const struct config *config)
{
	const struct access *access = &config->access;
	for (size_t i = 0; i < access->path_count; i++)
		if (access_is_below(HOME_INSIDE, access->paths[i].inside))
			return false;
	return config->home != UNITS_NONE;
}

static struct environ_places places_of(const struct config *config)
{
	return (struct environ_places){ .cwd = config->cwd, .home = config_has_home(config) };
}

static int parse_env(struct config *config, const struct key *key, const char *value,
		     struct reason *reason)
{
	(void)key;
	const struct environ_places places = places_of(config);
	/* As `config` prints it; taking it as set would keep it from following other keys. */
	if (environ_follows(&places, value))
		return 0;
	int error = environ_set(&config->environ, value);
	if (error == -E2BIG) {
		refuse(reason, "env: no more than 512 variables, and 128 KiB");
		return error;
	}
	if (error == -EINVAL)
		return refuse(reason,
			      "env '%.*s': not NAME=VALUE, or a name that loaders or shells act on",
			      (int)strcspn(value, "="), value);
	return error < 0 ? out_of_memory(reason) : 0;
}

static void print_env(const struct config *config, const struct key *key, FILE *to)
{
	const struct environ_places places = places_of(config);
	char **vector = environ_vector(&config->environ, &places);
	for (size_t i = 0; vector && vector[i]; i++)
		fprintf(to, "%s %s\n", key->name, vector[i]);
	if (vector)
		environ_free_vector(vector);
}

static int parse_cwd(struct config *config, const struct key *key, const char *value,
		     struct reason *reason)
{
	(void)key;
	if (value[0] != '/')
		return refuse(reason, "cwd '%.100s': not an absolute path", value);
	char *copy = strdup(value);
	if (!copy)
		return out_of_memory(reason);
	free(config->cwd);
	config->cwd = copy;
	return 0;
}

static void print_cwd(const struct config *config, const struct key *key, FILE *to)
{
	fprintf(to, "%s %s\n", key->name, config->cwd);
}

/* Keys that are one number. */

typedef int (*number_fn)(const char *text, uint64_t *value);

static int parse_number(struct config *config, const struct key *key, const char *value,
			struct reason *reason, number_fn parse)
{
	uint64_t number;
	int error = 0;
	if (key->none && strcmp(value, "none") == 0)
		number = UNITS_NONE;
	else
		error = parse(value, &number);
	if (error == 0 && number != UNITS_NONE && (number < key->min || number > key->max))
		error = -ERANGE;
	if (error < 0) {
		refuse(reason, "%s '%.100s': %s", key->name, value,
		       error == -ERANGE ? "out of bounds" : "malformed");
		return error;
	}
	memcpy((char *)config + key->offset, &number, sizeof(number));
	return 0;
}

static uint64_t number_of(const struct config *config, const struct key *key)
{
	uint64_t number;
	memcpy(&number, (const char *)config + key->offset, sizeof(number));
	return number;
}

static void print_number(const struct config *config, const struct key *key, FILE *to,
			 void (*print)(FILE *to, uint64_t value))
{
	uint64_t number = number_of(config, key);
	fprintf(to, "%s ", key->name);
	if (number == UNITS_NONE)
		fputs("none", to);
	else
		print(to, number);
	fputc('\n', to);
}

static int parse_any_count(const char *text, uint64_t *value)
{
	return units_parse_count(text, 0, UNITS_NONE - 1, value);
}

static void print_count(FILE *to, uint64_t value)
{
	fprintf(to, "%llu", (unsigned long long)value);
}

#define NUMBER_KEY(kind, parser, printer)                                                        \
	static int parse_##kind(struct config *config, const struct key *key, const char *value, \
				struct reason *reason)                                           \
	{                                                                                        \
		return parse_number(config, key, value, reason, parser);                         \
	}                                                                                        \
	static void print_##kind(const struct config *config, const struct key *key, FILE *to)   \
	{                                                                                        \
		print_number(config, key, to, printer);                                          \
	}

NUMBER_KEY(size, units_parse_size, units_print_size)
NUMBER_KEY(duration, units_parse_duration, units_print_duration)
NUMBER_KEY(whole, parse_any_count, print_count)
NUMBER_KEY(cores, units_parse_milli, units_print_milli)

/* in */

static int parse_in(struct config *config, const struct key *key, const char *value,
		    struct reason *reason)
{
	(void)key;
	char *copy = strdup(value);
	if (!copy)
		return out_of_memory(reason);
	free(config->in);
	config->in = copy;
	return 0;
}

static void print_in(const struct config *config, const struct key *key, FILE *to)
{
	if (config->in)
		fprintf(to, "%s %s\n", key->name, config->in);
}

/* overflow */

static int parse_overflow(struct config *config, const struct key *key, const char *value,
			  struct reason *reason)
{
	(void)key;
	if (strcmp(value, "wait") == 0)
		config->overflow = OVERFLOW_WAIT;
	else if (strcmp(value, "drop") == 0)
		config->overflow = OVERFLOW_DROP;
	else
		return refuse(reason, "overflow '%.100s': neither wait nor drop", value);
	return 0;
}

static void print_overflow(const struct config *config, const struct key *key, FILE *to)
{
	fprintf(to, "%s %s\n", key->name, config->overflow == OVERFLOW_WAIT ? "wait" : "drop");
}

/* replies */

static const char *const repliers[] = {
	[REPLIES_AUTO] = "auto",
	[REPLIES_ALWAYS] = "always",
	[REPLIES_NEVER] = "never",
};

static int parse_replies(struct config *config, const struct key *key, const char *value,
			 struct reason *reason)
{
	for (size_t i = 0; i < sizeof(repliers) / sizeof(*repliers); i++) {
		if (strcmp(repliers[i], value) != 0)
			continue;
		config->replies = (enum replies_by)i;
		return 0;
	}
	return refuse(reason, "%s '%.100s': not auto, always or never", key->name, value);
}

static void print_replies(const struct config *config, const struct key *key, FILE *to)
{
	fprintf(to, "%s %s\n", key->name, repliers[config->replies]);
}

/* ro, rw, overlay, root, device, network, seccomp */

static int parse_path(struct config *config, const struct key *key, const char *value,
		      struct reason *reason)
{
	const char *why;
	int error = access_add_path(&config->access, value, access_kind(key->name), &why);
	if (error == -ENOMEM)
		return out_of_memory(reason);
	if (error < 0)
		refuse(reason, "%s '%.100s': %s", key->name, value, why);
	return error;
}

static void print_paths(const struct config *config, const struct key *key, FILE *to)
{
	access_print_paths(&config->access, access_kind(key->name), to);
}

static int parse_network(struct config *config, const struct key *key, const char *value,
			 struct reason *reason)
{
	int error = access_set_network(&config->access, value);
	if (error == -ENOMEM)
		return out_of_memory(reason);
	if (error < 0)
		refuse(reason, "%s '%.100s': %s", key->name, value,
		       error == -ERANGE ? "ports are 1 to 65535, 64 at most"
					: "not none, names, host or tcp PORT,...");
	return error;
}

/* allow, deny */

static int parse_host(struct config *config, const struct key *key, const char *value,
		      struct reason *reason)
{
	const char *why = NULL;
	int error = names_add(&config->access.names, key->name[0] == 'd', value, &why);
	if (error == -ENOMEM)
		return out_of_memory(reason);
	if (error < 0)
		refuse(reason, "%s '%.100s': %s", key->name, value, why);
	return error;
}

static void print_hosts(const struct config *config, const struct key *key, FILE *to)
{
	access_print_names(&config->access, key->name[0] == 'd', to);
}

static void print_network(const struct config *config, const struct key *key, FILE *to)
{
	(void)key;
	access_print_network(&config->access, to);
}

/* publish */

static int parse_published(struct config *config, const struct key *key, const char *value,
			   struct reason *reason)
{
	int error = access_set_published(&config->access, value);
	if (error == -ENOMEM)
		return out_of_memory(reason);
	if (error < 0)
		refuse(reason, "%s '%.100s': %s", key->name, value,
		       error == -ERANGE ? "ports are 1 to 65535, 32 at most"
					: "neither none nor PORT,...");
	return error;
}

static void print_published(const struct config *config, const struct key *key, FILE *to)
{
	(void)key;
	access_print_published(&config->access, to);
}

static int parse_seccomp(struct config *config, const struct key *key, const char *value,
			 struct reason *reason)
{
	if (sysfilter_profile_parse(value, &config->access.seccomp) < 0)
		return refuse(reason, "%s '%.100s': not strict, essential, network or compat",
			      key->name, value);
	return 0;
}

static void print_seccomp(const struct config *config, const struct key *key, FILE *to)
{
	fprintf(to, "%s %s\n", key->name,
		sysfilter_profile_name(access_filter(&config->access).profile));
}

/* fork, ptrace, terminal, ends: one word or the other */

static int parse_word(bool *to, const struct key *key, const char *value, const char *yes,
		      const char *no, struct reason *reason)
{
	*to = strcmp(value, yes) == 0;
	if (!*to && strcmp(value, no) != 0)
		return refuse(reason, "%s '%.100s': neither %s nor %s", key->name, value, yes, no);
	return 0;
}

#define WORD_KEY(kind, field, yes, no)                                                           \
	static int parse_##kind(struct config *config, const struct key *key, const char *value, \
				struct reason *reason)                                           \
	{                                                                                        \
		bool word;                                                                       \
		int error = parse_word(&word, key, value, yes, no, reason);                      \
		if (error == 0)                                                                  \
			config->field = word;                                                    \
		return error;                                                                    \
	}                                                                                        \
	static void print_##kind(const struct config *config, const struct key *key, FILE *to)   \
	{                                                                                        \
		fprintf(to, "%s %s\n", key->name, config->field ? yes : no);                     \
	}

WORD_KEY(fork, access.fork, "yes", "no")
WORD_KEY(ptrace, access.ptrace, "yes", "no")
WORD_KEY(terminal, terminal, "yes", "no")
WORD_KEY(ends, ends_with_command, "command", "last-process")

static int parse_landlock(struct config *config, const struct key *key, const char *value,
			  struct reason *reason)
{
	int error = access_set_landlock(&config->access, value);
	if (error < 0)
		refuse(reason, "%s '%.100s': neither auto, none nor a version from 1 to %d",
		       key->name, value, LANDLOCK_ABI_ALL);
	return error;
}

static void print_landlock(const struct config *config, const struct key *key, FILE *to)
{
	(void)key;
	access_print_landlock(&config->access, to);
}

static const struct key keys[] = {
	{ "command", parse_command, print_command, 0, 0, 0, false },
	{ "argv", parse_argv, print_argv, 0, 0, 0, false },
	/* Before env, so that HOME and PWD can be told from ones that were set. */
	{ "home", parse_size, print_size, offsetof(struct config, home), 0, UNITS_NONE / 4, true },
	{ "cwd", parse_cwd, print_cwd, 0, 0, 0, false },
	{ "env", parse_env, print_env, 0, 0, 0, false },
	{ "timeout", parse_duration, print_duration, offsetof(struct config, timeout_ns), 1,
	  UNITS_NONE / 4, true },
	{ "idle-timeout", parse_duration, print_duration, offsetof(struct config, idle_timeout_ns),
	  1, UNITS_NONE / 4, true },
	{ "kill-grace", parse_duration, print_duration, offsetof(struct config, kill_grace_ns), 0,
	  UINT64_C(3600000000000), false },
	{ "memory", parse_size, print_size, offsetof(struct config, memory), 1 << 20,
	  UNITS_NONE / 4, true },
	{ "processes", parse_whole, print_whole, offsetof(struct config, processes), 1, 4194304,
	  true },
	{ "cpu", parse_cores, print_cores, offsetof(struct config, cpu_milli), 10, 1024000, true },
	{ "open-files", parse_whole, print_whole, offsetof(struct config, open_files), 8, 1048576,
	  false },
	{ "file-size", parse_size, print_size, offsetof(struct config, file_size), 0,
	  UNITS_NONE / 4, true },
	{ "tmp-size", parse_size, print_size, offsetof(struct config, tmp_size), 65536,
	  UNITS_NONE / 4, false },
	{ "disk", parse_size, print_size, offsetof(struct config, disk), 65536, UNITS_NONE / 4,
	  true },
	{ "terminals", parse_whole, print_whole, offsetof(struct config, terminals), 1, 4096,
	  false },
	{ "retain", parse_size, print_size, offsetof(struct config, retain), 65536, UNITS_NONE / 4,
	  false },
	{ "overflow", parse_overflow, print_overflow, 0, 0, 0, false },
	{ "ro", parse_path, print_paths, 0, 0, 0, false },
	{ "rw", parse_path, print_paths, 0, 0, 0, false },
	{ "overlay", parse_path, print_paths, 0, 0, 0, false },
	{ "root", parse_path, print_paths, 0, 0, 0, false },
	{ "device", parse_path, print_paths, 0, 0, 0, false },
	{ "network", parse_network, print_network, 0, 0, 0, false },
	{ "allow", parse_host, print_hosts, 0, 0, 0, false },
	{ "deny", parse_host, print_hosts, 0, 0, 0, false },
	{ "publish", parse_published, print_published, 0, 0, 0, false },
	{ "network-ask", parse_duration, print_duration, offsetof(struct config, ask_ns), 1000000,
	  UINT64_C(86400000000000), true },
	{ "seccomp", parse_seccomp, print_seccomp, 0, 0, 0, false },
	{ "fork", parse_fork, print_fork, 0, 0, 0, false },
	{ "ptrace", parse_ptrace, print_ptrace, 0, 0, 0, false },
	{ "landlock", parse_landlock, print_landlock, 0, 0, 0, false },
	{ "terminal", parse_terminal, print_terminal, 0, 0, 0, false },
	{ "replies", parse_replies, print_replies, 0, 0, 0, false },
	{ "ends", parse_ends, print_ends, 0, 0, 0, false },
	{ "in", parse_in, print_in, 0, 0, 0, false },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

int config_init(struct config *config)
{
	static char shell[] = "/bin/sh";
	char *const interactive[] = { shell, NULL };
	*config = (struct config){
		.argv = copy_vector(interactive),
		.cwd = strdup("/tmp"),
		.timeout_ns = UNITS_NONE,
		.idle_timeout_ns = UNITS_NONE,
		.kill_grace_ns = 150000000,
		.memory = UINT64_C(512) << 20,
		.processes = 128,
		.cpu_milli = 1000,
		.open_files = 1024,
		.file_size = UNITS_NONE,
		.tmp_size = UINT64_C(64) << 20,
		.disk = UNITS_NONE,
		.home = 0,
		.terminals = 8,
		.retain = UINT64_C(64) << 20,
		.overflow = OVERFLOW_WAIT,
		.replies = REPLIES_AUTO,
		.terminal = true,
		.ends_with_command = true,
		.ask_ns = UNITS_NONE,
		.access = { .network = NETWORK_NONE,
			    .seccomp = SYSFILTER_ESSENTIAL,
			    .fork = true,
			    .landlock = LANDLOCK_AUTO },
	};
	if (config->argv && config->cwd)
		return 0;
	config_finish(config);
	return -ENOMEM;
}

int config_copy(struct config *to, const struct config *from)
{
	*to = *from;
	to->command = from->command ? strdup(from->command) : NULL;
	to->argv = copy_vector(from->argv);
	to->cwd = strdup(from->cwd);
	to->in = from->in ? strdup(from->in) : NULL;
	to->environ = (struct environ){ 0 };
	to->access = (struct access){ 0 };
	int error = environ_copy(&to->environ, &from->environ);
	if (error == 0)
		error = access_copy(&to->access, &from->access);
	if (error == 0 && to->argv && to->cwd && (to->command || !from->command) &&
	    (to->in || !from->in))
		return 0;
	config_finish(to);
	return -ENOMEM;
}

void config_finish(struct config *config)
{
	free(config->command);
	free_vector(config->argv);
	free(config->cwd);
	free(config->in);
	environ_finish(&config->environ);
	access_finish(&config->access);
	*config = (struct config){ 0 };
}

static int reset(struct config *config, const struct config *defaults, struct reason *reason)
{
	struct config fresh;
	int error = defaults ? config_copy(&fresh, defaults) : config_init(&fresh);
	if (error < 0)
		return out_of_memory(reason);
	config_finish(config);
	*config = fresh;
	return 0;
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

bool config_has_key(const char *name)
{
	return find_key(name) != NULL;
}

int config_set(struct config *config, const struct config *defaults, const char *name,
	       const char *value, struct reason *reason)
{
	if (strcmp(name, "reset") == 0)
		return *value ? refuse(reason, "reset takes no value")
			      : reset(config, defaults, reason);
	const struct key *key = find_key(name);
	if (!key)
		return refuse(reason, "unknown key '%.100s'", name);
	if (*value == '\0')
		return refuse(reason, "key '%s' has no value", name);
	return key->parse(config, key, value, reason);
}

struct target {
	struct config *config;
	const struct config *defaults;
};

static int set_line(void *data, const char *name, const char *value, struct reason *reason)
{
	const struct target *target = data;
	return config_set(target->config, target->defaults, name, value, reason);
}

size_t config_apply(struct config *config, const struct config *defaults, const char *text,
		    size_t size, int *error, unsigned *line, struct reason *reason)
{
	struct target target = { config, defaults };
	return config_read(text, size, set_line, &target, error, line, reason);
}

void config_print(const struct config *config, FILE *to)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		keys[i].print(config, &keys[i], to);
}

void config_print_whole(const struct config *config, FILE *to)
{
	fputs("reset\n", to);
	config_print(config, to);
}
