/* SPDX-License-Identifier: MIT */
/*
 * POSIX extended regular expressions (regex(7)) over a stream of bytes.
 *
 * What is asked is when a stream first matches, so the answer is the offset behind the byte that
 * completes a match, the same however the stream is cut into pieces. A client gives the pattern
 * and a hostile program the bytes, so the cost is bounded: each byte costs at most as many steps
 * as the pattern has instructions, and no byte is kept. Bytes are bytes: `.` is one of them.
 * `^` is the start of the stream or of a line, `$` the end of a line or of what there is so far.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include <stdbool.h>
#include <stddef.h>

struct pattern;

/* 0, -ENOMEM, or -EINVAL with *why, a literal: malformed, a back-reference, or too large. */
int pattern_compile(const char *text, struct pattern **out, const char **why);
void pattern_free(struct pattern *pattern);

/* Begins anew, behind a gap. */
void pattern_reset(struct pattern *pattern);

/* How many steps a byte may cost. */
size_t pattern_size(const struct pattern *pattern);

/* The bytes of memory that it takes. */
size_t pattern_memory(const struct pattern *pattern);

/*
 * Goes through `size` more bytes. True when a match was completed, with *used the bytes up to
 * and with its last; the pattern is done with then.
 */
bool pattern_feed(struct pattern *pattern, const char *data, size_t size, size_t *used);

/* Whether the stream matches if this is its end for now: what only lacked `$`. */
bool pattern_at_end(struct pattern *pattern);

#endif
