/* SPDX-License-Identifier: MIT */
#ifndef DESCENDANTS_H
#define DESCENDANTS_H

/*
 * Signals every process that descends from this one, which adopts orphans
 * (PR_SET_CHILD_SUBREAPER). Those that are made meanwhile may be passed over: so it is done again
 * while there are children. Async-signal-safe.
 */
void descendants_signal(int number);

#endif
