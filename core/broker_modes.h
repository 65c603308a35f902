/* SPDX-License-Identifier: MIT */
#ifndef BROKER_MODES_H
#define BROKER_MODES_H

struct seccomp_notif;

/*
 * chmod(2) and its kin with the set-group-ID bit: directories get it, files do not, which is what
 * the kernel does where the caller is not in the file's group. 0 or -errno: ENOSYS for another
 * call, EPERM for a caller that cannot be looked into.
 */
int broker_set_mode(int listener, const struct seccomp_notif *call);

#endif
