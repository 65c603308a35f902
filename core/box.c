/* SPDX-License-Identifier: MIT */
/*
 * The set of sessions. Two tables find them: by name, for those in the set, and by id, also for
 * those that were removed and that somebody still holds. The list is in the order of ids, which
 * only ever grow, so that a listing can go on behind any id.
 */
#include "binder.h"
#include "disk.h"
#include "forker.h"
#include "landlock_floor.h"
#include "machine.h"
#include "message.h"
#include "quotas.h"
#include "remover.h"
#include "session.h"
#include "spawner.h"
#include "sweeper.h"
#include "ticker.h"
#include "units.h"
#include "workspace.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_BUCKETS = 256 };
/*
 * With a helper, with the first sandbox, and with one that is built ahead. The server learns of a
 * death at once, and serves others meanwhile. So the bound is for a hang, not for a slow machine.
 */
#define PATIENCE_NS UINT64_C(60000000000)

/* Tables */

static size_t hash_name(const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return (size_t)hash;
}

static void insert(struct mimobox *box, struct mimobox_session *session)
{
	struct mimobox_session **names = &box->names[hash_name(session->name) % box->buckets];
	struct mimobox_session **ids = &box->ids[session->id % box->buckets];
	if (!session->removed) {
		session->by_name = *names;
		*names = session;
	}
	session->by_id = *ids;
	*ids = session;
}

static int make_tables(struct mimobox *box, size_t buckets)
{
	struct mimobox_session **names = calloc(buckets, sizeof(struct mimobox_session *));
	struct mimobox_session **ids = calloc(buckets, sizeof(struct mimobox_session *));
	if (!names || !ids) {
		free(names);
		free(ids);
		return -ENOMEM;
	}
	struct mimobox_session **old = box->ids;
	size_t old_buckets = box->buckets;
	free(box->names);
	box->names = names;
	box->ids = ids;
	box->buckets = buckets;
	for (size_t i = 0; i < old_buckets; i++)
		for (struct mimobox_session *session = old[i], *next; session; session = next) {
			next = session->by_id;
			insert(box, session);
		}
	free(old);
	return 0;
}

static void take_out_of_names(struct mimobox *box, struct mimobox_session *session)
{
	struct mimobox_session **at = &box->names[hash_name(session->name) % box->buckets];
	while (*at != session)
		at = &(*at)->by_name;
	*at = session->by_name;
}

void box_forget(struct mimobox *box, struct mimobox_session *session)
{
	struct mimobox_session **at = &box->ids[session->id % box->buckets];
	while (*at != session)
		at = &(*at)->by_id;
	*at = session->by_id;
	box->referenced--;
}

struct mimobox_session *mimobox_session_find(const struct mimobox *box, const char *name)
{
	struct mimobox_session *session = box->names[hash_name(name) % box->buckets];
	while (session && strcmp(session->name, name) != 0)
		session = session->by_name;
	return session;
}

struct mimobox_session *mimobox_session_by_id(const struct mimobox *box, uint64_t id)
{
	struct mimobox_session *session = box->ids[id % box->buckets];
	while (session && session->id != id)
		session = session->by_id;
	return session;
}

struct mimobox_session *mimobox_session_after(const struct mimobox *box, uint64_t id)
{
	struct mimobox_session *session = id ? mimobox_session_by_id(box, id) : NULL;
	if (session && !session->removed)
		return session->next;
	for (session = box->first; session && session->id <= id;)
		session = session->next;
	return session;
}

unsigned mimobox_session_count(const struct mimobox *box)
{
	return box->count;
}

/* Sessions in the set */

/* A block has more ids than a daemon has sessions at a time. */
static bool is_taken(const struct mimobox *box, uid_t id)
{
	for (size_t i = 0; i < box->buckets; i++)
		for (const struct mimobox_session *session = box->ids[i]; session;
		     session = session->by_id)
			if (session->run_uid == id || session->run_gid == id)
				return true;
	return pool_has_identity(box->pool, id);
}

uid_t box_identity(struct mimobox *box)
{
	uid_t id = identities_give(&box->identities);
	for (uint32_t i = 1; box->identities.again && i < IDENTITY_BLOCK && is_taken(box, id); i++)
		id = identities_give(&box->identities);
	return id;
}

/* The spawner's messages have room for the name of a workspace. */
static bool can_be_told(const struct mimobox *box)
{
	size_t length = box->workspaces ? strlen(box->workspaces) : 0;
	return length + SESSION_NAME_MAX + sizeof("/-XXXXXX") <= SANDBOX_WORKSPACE_MAX;
}

/* What there is of the host in it has to be looked up before anything is sealed. */
static bool can_be_sealed(const struct mimobox *box, const struct access *access)
{
	return access->path_count == 0 && access->network != NETWORK_TCP &&
	       (access->network != NETWORK_NAMES || !access_has_addresses(access)) &&
	       (access_own_network(access) || !box->resolver) && can_be_told(box);
}

/* As long as the C library can wait, at most. */
static uint32_t dns_seconds(uint64_t ask_ns)
{
	uint64_t seconds = ask_ns / 1000000000 + 2;
	return seconds > 30 ? 30 : (uint32_t)seconds;
}

void box_shape(const struct mimobox *box, const struct config *config, uid_t uid, gid_t gid,
	       struct sandbox_shape *out)
{
	*out = (struct sandbox_shape){
		.uid = uid,
		.gid = gid,
		.own_network = access_own_network(&config->access),
		.names = access_has_relay(&config->access),
		.terminal = config->terminal,
		.ends_with_command = config->ends_with_command,
		.home = box->workspaces && config_has_home(config),
		.sealed = can_be_sealed(box, &config->access),
		.own_root = access_count(&config->access, PATH_ROOT) > 0,
		.mapped = uid == 0 && (access_count(&config->access, PATH_OVERLAY) ||
				       access_count(&config->access, PATH_DEVICE)),
	};
	if (out->names && config->ask_ns != UNITS_NONE)
		out->dns_seconds = dns_seconds(config->ask_ns);
	if (out->sealed) {
		out->filter = access_filter(&config->access);
		out->landlock = landlock_floor(&config->access);
	}
	snprintf(out->tmp_size, sizeof(out->tmp_size), "%" PRIu64, config->tmp_size);
	snprintf(out->terminals, sizeof(out->terminals), "%" PRIu64, config->terminals);
	/* tmpfs(5) has inodes of about 1 KiB; the root itself takes some fifty. */
	snprintf(out->tmp_inodes, sizeof(out->tmp_inodes), "%" PRIu64,
		 config->tmp_size / 1024 + 256);
}

void box_limits(const struct config *config, struct cgroup_limits *out)
{
	*out = (struct cgroup_limits){
		.memory = config->memory,
		/* Init is two of them, by its threads. */
		.processes = config->processes == UNITS_NONE ? UNITS_NONE
							     : config->processes + INIT_THREADS,
		.cpu_milli = config->cpu_milli,
	};
}

static int check_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	size_t length = strlen(name);
	if (length > SESSION_NAME_MAX)
		return -ENAMETOOLONG;
	return length == 0 || name[0] == '.' || strspn(name, allowed) != length ? -EINVAL : 0;
}

void box_link(struct mimobox *box, struct mimobox_session *session)
{
	if (box->referenced >= 2 * box->buckets)
		make_tables(box, 2 * box->buckets); /* or longer chains, where memory is short */
	box->referenced++;
	if (session->removed) {
		insert(box, session);
		return;
	}
	session->previous = box->last;
	if (box->last)
		box->last->next = session;
	else
		box->first = session;
	box->last = session;
	box->count++;
	insert(box, session);
}

int mimobox_session_create(struct mimobox *box, const char *name, uid_t uid, gid_t gid,
			   struct mimobox_session **out)
{
	int error = check_name(name);
	if (error < 0)
		return error;
	if (mimobox_session_find(box, name))
		return -EEXIST;
	if (box->max_sessions && box->count + box->lingering >= box->max_sessions)
		return -EAGAIN;
	error = keep_reserve(box->keep);
	struct mimobox_session *session = error == 0 ? calloc(1, sizeof(*session)) : NULL;
	if (!session)
		return -ENOMEM;
	if (config_copy(&session->config, &box->defaults) < 0) {
		free(session);
		return -ENOMEM;
	}
	session->box = box;
	session->id = ++box->last_id;
	strcpy(session->name, name); /* bounded by check_name() */
	session->uid = uid;
	session->gid = gid;
	session_init(session);
	error = ceiling_enter(box->ceiling, uid, &session->share);
	if (error == 0 && !pool_claim(box->pool, session)) {
		uid_t own = uid && gid ? 0 : box_identity(box);
		session->run_uid = uid ? uid : own;
		session->run_gid = uid && gid ? gid : own;
		error = workspace_create(session);
	}
	if (error < 0) {
		session_free(session);
		return error;
	}
	box_link(box, session);
	mimobox_session_log(session, "created");
	*out = mimobox_session_ref(session);
	return 0;
}

void mimobox_session_remove(struct mimobox_session *session)
{
	struct mimobox *box = session->box;
	if (session->removed)
		return;
	session_touch(session);
	take_out_of_names(box, session);
	session_await_share(session, false);
	session->removed = true;
	session_leave_share(session);
	if (session->previous)
		session->previous->next = session->next;
	else
		box->first = session->next;
	if (session->next)
		session->next->previous = session->previous;
	else
		box->last = session->previous;
	box->count--;
	box->lingering += session->sandbox.pidfd >= 0 || session->has_cgroup;
	session_give_back(session);
	if (session->state == MIMOBOX_CREATED)
		session_end_unstarted(session);
	else if (session->state == MIMOBOX_EXITED)
		workspace_remove(session);
	else
		session_kill(session, END_REMOVED);
	mimobox_session_unref(session);
}

uint64_t mimobox_session_id(const struct mimobox_session *session)
{
	return session->id;
}

const char *mimobox_session_name(const struct mimobox_session *session)
{
	return session->name;
}

uid_t mimobox_session_uid(const struct mimobox_session *session)
{
	return session->uid;
}

gid_t mimobox_session_gid(const struct mimobox_session *session)
{
	return session->gid;
}

const char *mimobox_session_workspace(const struct mimobox_session *session)
{
	return session->host ? session->host->workspace : session->workspace;
}

pid_t mimobox_session_pid(const struct mimobox_session *session)
{
	return session->sandbox.pid;
}

bool mimobox_session_has_terminal(const struct mimobox_session *session)
{
	return session->config.terminal;
}

bool mimobox_session_removed(const struct mimobox_session *session)
{
	return session->removed;
}

enum mimobox_state mimobox_session_state(const struct mimobox_session *session)
{
	return session->state;
}

void **mimobox_session_data(struct mimobox_session *session)
{
	return &session->data;
}

void mimobox_session_times(const struct mimobox_session *session, struct timespec *created,
			   struct timespec *changed)
{
	*created = session->created;
	*changed = session->changed;
}

/* Defaults */

ssize_t mimobox_defaults_configure(struct mimobox *box, const char *text, size_t size)
{
	struct reason reason;
	unsigned line;
	int error;
	size_t taken =
		config_apply(&box->defaults, &box->builtin, text, size, &error, &line, &reason);
	box_keep_defaults(box);
	return taken == 0 && error < 0 ? error : (ssize_t)taken;
}

void mimobox_defaults_print(const struct mimobox *box, FILE *to)
{
	config_print_whole(&box->defaults, to);
}

/* By default nothing is asked for that this machine cannot enforce, and that is to be seen. */
static int init_defaults(struct mimobox *box, const char *text, char *why, size_t why_size)
{
	struct reason reason;
	unsigned line, can = cgroups_can(box->cgroups);
	int error = config_init(&box->builtin);
	if (error < 0)
		return error;
	if (!(can & CGROUP_MEMORY))
		box->builtin.memory = UNITS_NONE;
	if (!(can & CGROUP_PROCESSES))
		box->builtin.processes = UNITS_NONE;
	if (!(can & CGROUP_CPU))
		box->builtin.cpu_milli = UNITS_NONE;
	if (!box->workspaces)
		box->builtin.home = UNITS_NONE;
	box_note_unlimited(box, can);
	error = config_copy(&box->defaults, &box->builtin);
	if (error < 0 || !text)
		return error;
	config_apply(&box->defaults, &box->builtin, text, strlen(text), &error, &line, &reason);
	if (error < 0)
		box_explain(why, why_size, "defaults: line %u: %s", line, reason.text);
	return error < 0 && error != -ENOMEM ? -EINVAL : error;
}

/* An ordinary user's daemon bounds nobody: it has no other users. But its text must be good. */
static int init_ceiling(struct mimobox *box, const char *text, char *why, size_t why_size)
{
	struct reason reason;
	unsigned line;
	if (!text && geteuid() != 0)
		return 0;
	int error = ceiling_create(text ? text : "", &box->ceiling, &line, &reason);
	if (error < 0) {
		box_explain(why, why_size, "ceiling: line %u: %s", line, reason.text);
		return error == -ENOMEM ? error : -EINVAL;
	}
	if (geteuid() == 0) {
		ceiling_assume(box->ceiling, TOTAL_TERMINALS, quotas_user_terminals(),
			       "ask for fewer: terminals 1; or have root raise kernel.pty.max");
	} else {
		ceiling_destroy(box->ceiling);
		box->ceiling = NULL;
	}
	return 0;
}

/* The box */

static char *find_resolver(void)
{
	char *path = realpath("/etc/resolv.conf", NULL);
	if (path && strncmp(path, "/etc/", 5) != 0)
		return path;
	free(path);
	return NULL;
}

static int prepare_workspaces(struct mimobox *box, const char *directory, char *why,
			      size_t why_size)
{
	if (!directory)
		return 0;
	int error = workspace_prepare(directory, keep_again(box->keep) ? keep_owner(box->keep) : 0);
	if (error == 0) {
		box->workspaces = realpath(directory, NULL);
		error = box->workspaces ? 0 : -errno;
		box->projects =
			error == 0 && can_be_told(box) && disk_has_projects(box->workspaces);
	}
	if (error < 0)
		box_explain(why, why_size, "workspaces directory %s: %s", directory,
			    error == -EPERM
				    ? "it, or writing to it, is not this user's alone; name "
				      "another: --workspaces DIR"
				    : strerror(-error));
	return error;
}

static int create_helpers(struct mimobox *box)
{
	box->spawner_state = (struct spawner){
		.setup = &box->setup, .cgroups = box->cgroups, .projects = box->projects, .host = -1
	};
	spawner_kind(&box->spawner_kind, &box->spawner_state);
	sweeper_kind(&box->sweeper_kind, box->cgroups);
	remover_kind(&box->remover_kind, box->workspaces);
	ticker_kind(&box->ticker_kind);
	changer_kind(&box->changer_kind);
	binder_kind(&box->binder_kind);
	network_kind(&box->relay_kind);
	struct helper **const helpers[] = { &box->spawner, &box->sweeper, &box->remover,
					    &box->ticker, &box->changer };
	enum { HELPERS = sizeof(helpers) / sizeof(helpers[0]) };
	int error = forker_create(
		(const struct helper_kind *const[]){ &box->spawner_kind, &box->sweeper_kind,
						     &box->remover_kind, &box->ticker_kind,
						     &box->changer_kind, &box->binder_kind,
						     &box->relay_kind },
		BOX_HELPERS, box->keep, &box->forker);
	box->spawner_kind.patience_ns = box->sweeper_kind.patience_ns = box->patience_ns;
	box->remover_kind.patience_ns = box->ticker_kind.patience_ns = box->patience_ns;
	box->changer_kind.patience_ns = box->binder_kind.patience_ns = box->patience_ns;
	for (unsigned i = 0; error == 0 && i < HELPERS; i++)
		error = helper_create(box->loop, box->forker, i, helpers[i]);
	box->attention.ticker = box->ticker;
	return error;
}

static int create_parts(struct mimobox *box, char *why, size_t why_size)
{
	const char *what = "event loop";
	int error = loop_create(&box->loop);
	if (error == 0) {
		attention_init(&box->attention, box->loop);
		what = "cgroups";
		error = cgroups_create(box->keep, &box->cgroups);
	}
	if (error == 0)
		cgroups_view(box->cgroups, &box->setup.view);
	/* Most sessions have this one: the spawner gets it by being forked after it. */
	const struct sysfilter_options usual = { .profile = SYSFILTER_ESSENTIAL,
						 .fork = true,
						 .own_network = true };
	const struct sysfilter *filter;
	enum stage stage = STAGE_FORK;
	if (error == 0) {
		what = "system call filter";
		error = sysfilters_get(&box->filters, &usual, &filter, NULL, 0);
		stage = error < 0 ? STAGE_SECCOMP : STAGE_FORK;
	}
	if (error == 0) {
		what = "helper processes";
		error = create_helpers(box);
	}
	if (error < 0)
		box_explain(why, why_size, "cannot make the %s: %s", what, strerror(-error));
	if (error < 0)
		box_append_advice(
			&(struct start_report){ .stage = (int32_t)stage, .error = -error }, why,
			why_size);
	return machine_refuses(error) ? -EOPNOTSUPP : error;
}

/* Another that goes on has them from the one before. */
static int take_identities(struct mimobox *box, const struct mimobox_options *options, char *why,
			   size_t why_size)
{
	uid_t first = options->last_id ? options->first_id : IDENTITY_FIRST;
	uid_t last = options->last_id ? options->last_id : IDENTITY_LAST;
	if (geteuid() != 0 || keep_again(box->keep))
		return 0;
	int error = identities_create(box->keep, first, last, &box->identities);
	if (error == -EUSERS)
		box_explain(why, why_size,
			    "no %d ids from %u to %u are free for root's sessions: end another "
			    "mimoboxfs, or name other ids: --ids FIRST-LAST",
			    IDENTITY_BLOCK, first, last);
	return error;
}

static int init_box(struct mimobox *box, const struct mimobox_options *options, char *why,
		    size_t why_size)
{
	const char *spool_dir = options->spool_dir ? options->spool_dir : "/var/tmp";
	box->keep = options->keep;
	box->identities = (struct identities){ .first = IDENTITY_FIRST, .lock = -1 };
	box->notify = options->notify;
	box->data = options->data;
	box->max_sessions = options->max_sessions;
	box->patience_ns = options->patience_ns ? options->patience_ns : PATIENCE_NS;
	box->setup = (struct init_setup){ .layout = &box->layout,
					  .no_capabilities = cap_init(),
					  .filters = &box->filters,
					  .landlock_abi = landlock_abi() };
	quotas_init(&box->setup.quotas);
	/* At first mimobox_probe() tells what is wanting. */
	if (message_may_pass(box->setup.landlock_abi) && keep_again(box->keep))
		return -ENOMEM;
	if (!box->setup.no_capabilities || make_tables(box, FIRST_BUCKETS) < 0)
		return -ENOMEM;
	/* As it is now, wherever a mount, a link or a change of directory would lead later. */
	box->spool_dir = realpath(spool_dir, NULL);
	int error = box->spool_dir ? spool_check(box->spool_dir) : -errno;
	if (error < 0) {
		box_explain(why, why_size, "spool directory %s: %s", spool_dir, strerror(-error));
		return error;
	}
	error = root_layout_init(&box->layout);
	if (error < 0) {
		box_explain(why, why_size, "the system's directories: %s", strerror(-error));
		return machine_refuses(error) ? -EOPNOTSUPP : error;
	}
	box->resolver = find_resolver();
	error = prepare_workspaces(box, options->workspaces, why, why_size);
	if (error < 0)
		return error;
	error = take_identities(box, options, why, why_size);
	if (error == 0)
		error = create_parts(box, why, why_size);
	if (error == 0)
		error = init_defaults(box, options->defaults, why, why_size);
	if (error == 0)
		error = init_ceiling(box, options->ceiling, why, why_size);
	if (error == 0)
		error = pool_create(box, options->pool, &box->pool);
	return error;
}

static void free_box(struct mimobox *box)
{
	if (box->loop)
		loop_timer_disarm(&box->clear_timer);
	pool_destroy(box->pool);
	network_finish(box);
	helper_destroy(box->spawner);
	helper_destroy(box->sweeper);
	helper_destroy(box->remover);
	helper_destroy(box->ticker);
	helper_destroy(box->changer);
	helper_destroy(box->binder);
	network_ports_finish(box);
	forker_destroy(box->forker);
	cgroups_destroy(box->cgroups);
	identities_finish(&box->identities);
	loop_destroy(box->loop);
	config_finish(&box->defaults);
	config_finish(&box->builtin);
	ceiling_destroy(box->ceiling);
	if (box->setup.no_capabilities)
		cap_free(box->setup.no_capabilities);
	sysfilters_finish(&box->filters);
	free(box->spool_dir);
	free(box->workspaces);
	free(box->resolver);
	free(box->mount);
	free(box->names);
	free(box->ids);
	free(box);
}

int mimobox_create(const struct mimobox_options *options, struct mimobox **out, char *why,
		   size_t why_size)
{
	struct mimobox *box = calloc(1, sizeof(*box));
	if (!box)
		return -ENOMEM;
	box_explain(why, why_size, "%s", "");
	int error = init_box(box, options, why, why_size);
	if (error < 0) {
		if (why && why_size && !*why)
			box_explain(why, why_size, "%s", strerror(-error));
		free_box(box);
		return error;
	}
	*out = box;
	return 0;
}

bool box_dispatch_until(struct mimobox *box, bool (*done)(void *), void *data, uint64_t ns)
{
	uint64_t end = loop_now() + ns;
	while (!done(data)) {
		uint64_t now = loop_now();
		if (now >= end || loop_dispatch(box->loop, (int)((end - now) / 1000000) + 1) < 0)
			return done(data);
	}
	return true;
}

static bool none_live(void *data)
{
	const struct mimobox *box = data;
	return box->live == 0 && box->waiting == 0 && !box->clearing;
}

static void on_all_removed(void *data, int result, const int *descriptors)
{
	(void)result, (void)descriptors;
	*(bool *)data = true;
}

static bool is_set(void *data)
{
	return *(const bool *)data;
}

/* What is left is tried once more here, for those who may. */
static void remove_cgroups(struct mimobox *box)
{
	const uint64_t all = 0;
	bool removed = false;
	if (helper_ask(box->sweeper, &all, NULL, 0, on_all_removed, &removed) < 0 ||
	    box_dispatch_until(box, is_set, &removed, UINT64_C(2000000000)))
		return;
	helper_destroy(box->sweeper); /* nobody is told any more */
	box->sweeper = NULL;
}

/* One that has not ended still has the reference that a live one has of its own. */
static void let_go_of_all(struct mimobox *box)
{
	for (size_t i = 0; i < box->buckets; i++)
		for (struct mimobox_session *session; (session = box->ids[i]);) {
			bool live = session->live;
			mimobox_session_ref(session);
			session_orphan(session);
			box_forget(box, session);
			if (live)
				mimobox_session_unref(session);
			mimobox_session_unref(session);
		}
}

void mimobox_destroy(struct mimobox *box)
{
	if (!box)
		return;
	pool_close(box->pool);
	while (box->first)
		mimobox_session_remove(box->first);
	if (!box_dispatch_until(box, none_live, box, 2 * UINT64_C(2000000000))) {
		helper_give_up(box->spawner);
		helper_give_up(box->sweeper);
		helper_give_up(box->remover);
	}
	for (size_t i = 0; i < box->buckets && box->live; i++)
		for (struct mimobox_session *session = box->ids[i]; session;
		     session = session->by_id)
			session_kill_now(session);
	if (!box_dispatch_until(box, none_live, box, UINT64_C(2000000000))) {
		/* No answer comes for a session that is gone. */
		helper_give_up(box->spawner);
		helper_give_up(box->changer);
		helper_give_up(box->sweeper);
	}
	let_go_of_all(box);
	remove_cgroups(box);
	if (box->workspaces)
		workspace_sweep(box->workspaces, keep_owner(box->keep));
	free_box(box);
}

int mimobox_fd(const struct mimobox *box)
{
	return loop_fd(box->loop);
}

int mimobox_dispatch(struct mimobox *box, int timeout_ms)
{
	return loop_dispatch(box->loop, timeout_ms);
}

struct loop *mimobox_loop(const struct mimobox *box)
{
	return box->loop;
}

uint64_t mimobox_user_limit(const struct mimobox *box, uid_t uid, enum ceiling_limit limit,
			    uint64_t otherwise)
{
	return ceiling_limit(box ? box->ceiling : NULL, uid, limit, otherwise);
}
