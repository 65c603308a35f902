/* SPDX-License-Identifier: MIT */
/*
 * Capabilities. Sandboxes take nothing of it along but no_new_privs, which they have anyway: a new
 * user namespace begins with sets of its own (user_namespaces(7)). The same rule is why there are
 * so few: over a namespace that a user has made, that user has every capability, from its parent.
 * So root needs none to signal what runs in a sandbox, nor to read of it in /proc.
 *
 * The remover's securebits stay as they are: what it executes is root's, and gets its capabilities
 * by that, within the bounding set. So do the forker's, from which the remover comes.
 */
#include "confine.h"

#include <errno.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BIT(process) (1u << (process))

static const struct {
	cap_value_t capability;
	unsigned keepers;
	const char *reason;
} kept[] = {
	{ CAP_CHOWN, BIT(CONFINE_SERVER), "a workspace is given to whom the session runs as" },
	{ CAP_SYS_ADMIN, BIT(CONFINE_SPAWNER), "network namespaces are made ahead, and entered" },
	{ CAP_NET_ADMIN, BIT(CONFINE_SPAWNER), "and their loopback devices are switched on" },
	{ CAP_SETUID, BIT(CONFINE_SPAWNER), "a sandbox is given an id that is not the daemon's" },
	{ CAP_SETGID, BIT(CONFINE_SPAWNER), "and a group" },
	{ CAP_SETUID, BIT(CONFINE_BINDER), "sockets of published ports are bound as their owner" },
	{ CAP_SETGID, BIT(CONFINE_BINDER), "and with that group" },
	{ CAP_SYS_RESOURCE, BIT(CONFINE_SPAWNER),
	  "a sandbox is spared by the OOM killer no less, and no more, than any process" },
	{ CAP_MKNOD, BIT(CONFINE_SPAWNER), "a device of root's is given to a session of root's" },
	{ CAP_DAC_OVERRIDE, BIT(CONFINE_SWEEPER),
	  "the daemon's own cgroups are removed at its end: the top of a hierarchy is 0555" },
	{ CAP_DAC_OVERRIDE, BIT(CONFINE_REMOVER), "directories of others are emptied" },
	{ CAP_FOWNER, BIT(CONFINE_REMOVER), "those with the sticky bit, too" },
	{ CAP_SETUID, BIT(CONFINE_CHANGER), "what is done for an owner is done as the owner" },
	{ CAP_SETGID, BIT(CONFINE_CHANGER), "and with the owner's group" },
	{ CAP_DAC_OVERRIDE, BIT(CONFINE_CHANGER), "a session of root's has changed it as another" },
	{ CAP_FOWNER, BIT(CONFINE_CHANGER), "its modes and times, too" },
	{ CAP_SYS_ADMIN, BIT(CONFINE_UNMOUNTER), "umount2(2)" },
	{ CAP_SYS_NICE, BIT(CONFINE_FORKER), "the ticker does not wait for its turn" },
	{ CAP_SETPCAP, BIT(CONFINE_FORKER),
	  "bounding sets and securebits of those that are forked" },
};

enum { KEPT = sizeof(kept) / sizeof(kept[0]) };

/* The forker has what those need that come from it, too. */
static unsigned keepers_for(enum confine_process process)
{
	return process == CONFINE_FORKER
		       ? BIT(CONFINE_FORKER) | BIT(CONFINE_SPAWNER) | BIT(CONFINE_SWEEPER) |
				 BIT(CONFINE_REMOVER) | BIT(CONFINE_CHANGER)
		       : BIT(process);
}

static bool keeps(enum confine_process process, cap_value_t capability)
{
	for (unsigned i = 0; geteuid() == 0 && i < KEPT; i++)
		if (kept[i].capability == capability && (kept[i].keepers & keepers_for(process)))
			return true;
	return false;
}

static int allow(cap_t set, cap_flag_t flag, cap_value_t capability, bool on)
{
	return cap_set_flag(set, flag, 1, &capability, on ? CAP_SET : CAP_CLEAR) < 0 ? -errno : 0;
}

static bool has(cap_t set, cap_flag_t flag, cap_value_t capability)
{
	cap_flag_value_t value = CAP_CLEAR;
	return cap_get_flag(set, capability, flag, &value) == 0 && value == CAP_SET;
}

/* A container may have given the daemon less than the table. */
static int narrow(cap_t set, enum confine_process process)
{
	int error = 0;
	for (cap_value_t at = 0; error == 0 && at < cap_max_bits(); at++) {
		bool on = keeps(process, at) && has(set, CAP_PERMITTED, at);
		error = allow(set, CAP_EFFECTIVE, at, on);
		if (error == 0)
			error = allow(set, CAP_PERMITTED, at, on);
		if (error == 0)
			error = allow(set, CAP_INHERITABLE, at, false);
	}
	return error;
}

/* The sets of what would be executed, and what an id of 0 is worth there. */
static int bound(enum confine_process process)
{
	const unsigned locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	for (cap_value_t at = 0; at < cap_max_bits(); at++)
		if (!keeps(process, at) && cap_drop_bound(at) < 0)
			return -errno;
	if (process == CONFINE_REMOVER || process == CONFINE_FORKER)
		return 0;
	return cap_set_secbits(locked) < 0 ? -errno : 0;
}

int confine_rights(enum confine_process process)
{
	cap_t set = cap_get_proc();
	if (!set)
		return -errno;
	int error = has(set, CAP_EFFECTIVE, CAP_SETPCAP) ? bound(process) : 0;
	if (error == 0)
		error = narrow(set, process);
	if (error == 0 && (cap_reset_ambient() < 0 || cap_set_proc(set) < 0))
		error = -errno;
	cap_free(set);
	/* A user's fusermount3 is set-user-ID, and is what unmounts. */
	bool executes = process == CONFINE_UNMOUNTER && geteuid() != 0;
	if (error == 0 && !executes && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		error = -errno;
	return error;
}

static int put_in_effect(bool all)
{
	cap_t set = cap_get_proc();
	int error = set ? 0 : -errno;
	for (cap_value_t at = 0; error == 0 && at < cap_max_bits(); at++)
		error = allow(set, CAP_EFFECTIVE, at,
			      (all || keeps(CONFINE_SERVER, at)) && has(set, CAP_PERMITTED, at));
	if (error == 0 && cap_set_proc(set) < 0)
		error = -errno;
	if (set)
		cap_free(set);
	return error;
}

int confine_rehearse(void)
{
	return put_in_effect(false);
}

int confine_recover(void)
{
	return put_in_effect(true);
}
