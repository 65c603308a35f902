/* SPDX-License-Identifier: MIT */
/*
 * The helper that has the scheduler look again, while somebody types.
 *
 * What is owed to a task that computes, be it a microsecond, Linux (EEVDF) pays before it lets one
 * go on that has just had its share; and it looks again at its clock's next tick, or when another
 * task wakes up. At 250 ticks a second a key, which has the client, the daemon, the kernel's worker
 * and the program run a few microseconds each, waits for up to 4 ms in any of these places, however
 * low the priority of what computes. This helper wakes up on each processor, twice in a
 * millisecond, and does nothing else.
 */
#ifndef TICKER_H
#define TICKER_H

#include "helper.h"

/*
 * Fills in `kind`, for the forker. Asked with a uint64_t, it ticks for so many ns, a second at the
 * most, and answers whether the processors have something to do for a quarter of the time and more,
 * as far as that is known: 1 or 0. It is found out anew after 50 ms, when something is asked.
 */
void ticker_kind(struct helper_kind *kind);

#endif
