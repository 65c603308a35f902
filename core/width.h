/* SPDX-License-Identifier: MIT */
/* Which characters combine with the one before them. */
#ifndef WIDTH_H
#define WIDTH_H

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>

/* To be the thread's while width_combines() is called; 0: none to be had. */
locale_t width_locale(void);

bool width_combines(uint32_t code);

#endif
