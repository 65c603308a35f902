/* SPDX-License-Identifier: MIT */
/* Text from elsewhere, on its way to a terminal: nothing in it acts, or shows it in another order.
 */
#ifndef VISIBLE_H
#define VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A control, or a format character such as those that turn the direction of writing. */
bool visible_acts(uint32_t code);
/* The bytes of the character that `text` begins with; 0: it is not UTF-8. */
size_t visible_decode(const char *text, size_t size, uint32_t *code);
/* Each of these, and each byte that is not UTF-8, becomes a question mark. */
void visible_line(char *text);

#endif
