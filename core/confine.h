/* SPDX-License-Identifier: MIT */
/*
 * What each process of the daemon keeps of its privilege, once it has what it needs to do its work:
 * the server, which parses what clients send, and those that do for it what it may not do.
 */
#ifndef CONFINE_H
#define CONFINE_H

enum confine_process {
	CONFINE_SERVER,
	CONFINE_FORKER,
	CONFINE_SPAWNER,
	CONFINE_SWEEPER,
	CONFINE_REMOVER,
	CONFINE_UNMOUNTER,
	CONFINE_TICKER,
	CONFINE_CHANGER,
	CONFINE_RELAY,
	CONFINE_BINDER,
};

/*
 * Capabilities and no_new_privs, of the calling process and for good: the permitted, effective and
 * bounding sets are what the table has for it, the others are empty, and securebits are locked,
 * where this process may do that: capabilities(7). Run by root; run by another, no set but the
 * bounding one has anything, and that is of no use without privileges to be had. 0 or -errno.
 */
int confine_rights(enum confine_process process);

/*
 * A filter of system calls (seccomp(2)), for the server, the sweeper, the ticker, the relay, the
 * binder, and * root's unmounter: what is not in the list gets EPERM, and is told to the kernel's
 * audit log. It is that of all threads. After confine_rights(). 0 or -errno, as seccomp_load(3).
 */
int confine_calls(enum confine_process process);

/*
 * Has the calling process go on with no more capabilities in effect than the server will have; or
 * with all that it is permitted, as before. What the server will not be able to do then shows. 0 or
 * -errno.
 */
int confine_rehearse(void);
int confine_recover(void);

#endif
