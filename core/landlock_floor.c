/* SPDX-License-Identifier: MIT */
#include "landlock_floor.h"

#include "landlock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IN(network) (1u << (network))
#define OWN (IN(NETWORK_NONE) | IN(NETWORK_NAMES))
#define EVERYWHERE (OWN | IN(NETWORK_TCP) | IN(NETWORK_HOST))

/*
 * In the order of versions. Version 1 has all that is not here. It has no right to link and rename
 * to other directories, which version 2 brought (refer): it refuses that always.
 *
 * truncate: what a program may write and not truncate are devices alone; all else that it may not
 * write is on mounts that are read-only, or a file of its own /proc, where it does nothing.
 * tcp: for `network tcp` alone. A network of its own has no port of anybody else's.
 * ioctl-dev: no device can be opened but on /dev, for all other mounts are nodev; and of what is
 * there no request does more than tell a number without CAP_SYS_ADMIN (random(4)).
 * abstract-sockets: their names are the network namespace's.
 * signals: a process of another PID namespace has no number here.
 */
static const struct right {
	const char *name, *stand_in;
	int since;
	unsigned doubled; /* the networks with which another layer refuses the same */
	unsigned lacking; /* those with which none does */
} rights[] = {
	{ "truncate", "read-only-mounts", 3, EVERYWHERE, 0 },
	{ "tcp", "", 4, 0, IN(NETWORK_TCP) },
	{ "ioctl-dev", "nodev-mounts", 5, EVERYWHERE, 0 },
	{ "abstract-sockets", "network-namespace", 6, OWN, IN(NETWORK_TCP) | IN(NETWORK_HOST) },
	{ "signals", "pid-namespace", 6, EVERYWHERE, 0 },
};

#define RIGHTS (sizeof(rights) / sizeof(rights[0]))

int landlock_floor_of_network(enum network network)
{
	int version = 1;
	for (size_t i = 0; i < RIGHTS; i++)
		if (rights[i].lacking & IN(network))
			version = rights[i].since;
	return version;
}

int landlock_floor(const struct access *access)
{
	int least = access->network == NETWORK_TCP ? LANDLOCK_ABI_NET : 0;
	int asked = access->landlock == LANDLOCK_AUTO ? landlock_floor_of_network(access->network)
						      : (int)access->landlock;
	return asked > least ? asked : least;
}

void landlock_print(const struct access *access, int abi, FILE *to)
{
	unsigned network = IN(access->network);
	const char *key = "\nlandlock-stands-in";
	if (abi < 1) {
		fputs("landlock-abi none\n", to);
		return;
	}
	fprintf(to, "landlock-abi %d", abi);
	for (size_t i = 0; i < RIGHTS; i++)
		if (rights[i].since > abi && (rights[i].doubled & network)) {
			fprintf(to, "%s %s:%s", key, rights[i].name, rights[i].stand_in);
			key = "";
		}
	key = "\nlandlock-lacks";
	for (size_t i = 0; i < RIGHTS; i++)
		if (rights[i].since > abi && (rights[i].lacking & network)) {
			fprintf(to, "%s %s", key, rights[i].name);
			key = "";
		}
	fprintf(to, "%s\n", abi < 2 ? "\nlandlock-refuses refer" : "");
}

/* Linux's first release with it. */
static const char *release_of(int version)
{
	static const char *const releases[] = { "5.13", "5.19", "6.2", "6.7", "6.10", "6.12" };
	return releases[version - 1];
}

/* What does without: but for the rules of TCP, which nothing else has. */
static const char *without(const struct access *access)
{
	return access->network == NETWORK_TCP
		       ? "'network tcp' needs version 4 in any case"
		       : "'landlock none' in config or a --defaults file does without";
}

/* As the parameter is to be, where the kernel tells which modules it has. */
static void explain_switched_off(const char *without, char *text, size_t size)
{
	char now[96] = "";
	FILE *from = fopen("/sys/kernel/security/lsm", "re");
	if (from) {
		if (!fgets(now, sizeof(now), from))
			now[0] = '\0';
		(void)fclose(from);
	}
	now[strcspn(now, "\n")] = '\0';
	if (now[0])
		snprintf(text, size, "it is switched off: boot with lsm=landlock,%s; %s", now,
			 without);
	else
		snprintf(text, size,
			 "it is switched off: put landlock first in the boot parameter lsm=; %s",
			 without);
}

static void explain_none(int error, const char *without, char *text, size_t size)
{
	if (error == -EOPNOTSUPP)
		explain_switched_off(without, text, size);
	else if (error == -EPERM || error == -EACCES)
		snprintf(text, size,
			 "a filter around the daemon refuses it: allow landlock_create_ruleset, "
			 "_add_rule, _restrict_self (systemd-nspawn: SystemCallFilter=); %s",
			 without);
	else if (error != -ENOSYS)
		snprintf(text, size, "asked for its version, the kernel says: %s",
			 strerror(-error));
	else
		snprintf(text, size,
			 "Linux 5.13 has it, with CONFIG_SECURITY_LANDLOCK, unless a container's "
			 "filter hides it; %s",
			 without);
}

/* What to ask for instead, with what the kernel has. */
static void explain_instead(const struct access *access, int abi, char *text, size_t size)
{
	bool lacks_tcp = access->network == NETWORK_TCP && abi < LANDLOCK_ABI_NET;
	if (lacks_tcp)
		snprintf(text, size, "'landlock 4' needs only Linux 6.7");
	else if (landlock_floor_of_network(access->network) <= abi)
		snprintf(text, size, "'landlock auto' takes it, because other layers stand in");
	else
		snprintf(text, size, "'landlock %d' does without what it lacks", abi);
}

void landlock_explain(const struct access *access, int abi, char *text, size_t size)
{
	int least = landlock_floor(access);
	char instead[96];
	text[0] = '\0';
	if (least < 1 || abi >= least)
		return;
	if (abi < 1) {
		explain_none(abi, without(access), text, size);
		return;
	}
	explain_instead(access, abi, instead, sizeof(instead));
	if (access->landlock != LANDLOCK_AUTO && access->network == NETWORK_TCP &&
	    least == LANDLOCK_ABI_NET)
		snprintf(text, size,
			 "'network tcp' needs version %d, of Linux %s: this kernel has %d", least,
			 release_of(least), abi);
	else if (access->landlock != LANDLOCK_AUTO)
		snprintf(text, size, "version %d is asked for, of Linux %s: this kernel has %d; %s",
			 least, release_of(least), abi, instead);
	else
		snprintf(text, size,
			 "with the host's network version %d is needed, of Linux %s, to keep its "
			 "abstract sockets out of reach: this kernel has %d; %s",
			 least, release_of(least), abi, instead);
}
