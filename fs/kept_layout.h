/* SPDX-License-Identifier: MIT */
#ifndef KEPT_LAYOUT_H
#define KEPT_LAYOUT_H

#include <layout.h>

/* The filesystem's. */
extern const struct layout kept_layout;

/* Of all that is kept: a program with another one cannot go on in this one's place. */
uint32_t kept_layout_digest(void);

#endif
