/* SPDX-License-Identifier: MIT */
#include "visible.h"

#include <string.h>

/* Unicode's Cc, Cf, Zl and Zp, and the surrogates. */
static const struct {
	uint32_t first, last;
} acting[] = {
	{ 0x0, 0x1f },        { 0x7f, 0x9f },       { 0xad, 0xad },       { 0x600, 0x605 },
	{ 0x61c, 0x61c },     { 0x6dd, 0x6dd },     { 0x70f, 0x70f },     { 0x890, 0x891 },
	{ 0x8e2, 0x8e2 },     { 0x180e, 0x180e },   { 0x200b, 0x200f },   { 0x2028, 0x202e },
	{ 0x2060, 0x206f },   { 0xd800, 0xdfff },   { 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },
	{ 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 },
	{ 0x1d173, 0x1d17a }, { 0xe0001, 0xe007f },
};

bool visible_acts(uint32_t code)
{
	for (size_t i = 0; i < sizeof(acting) / sizeof(acting[0]); i++)
		if (code >= acting[i].first && code <= acting[i].last)
			return true;
	return false;
}

size_t visible_decode(const char *bytes, size_t room, uint32_t *code)
{
	const unsigned char *text = (const unsigned char *)bytes;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t size = *text < 0x80 ? 1 : *text < 0xc2 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;
	if (*text > 0xf4 || size > room)
		return 0;
	*code = size > 1 ? *text & (0xffu >> (size + 1)) : *text;
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3f);
	}
	return size > 0 && *code >= least[size] && *code <= 0x10ffff ? size : 0;
}

void visible_line(char *text)
{
	char *to = text;
	const char *end = text + strlen(text);
	for (const char *from = text; from < end;) {
		uint32_t code = 0;
		size_t size = visible_decode(from, (size_t)(end - from), &code);
		if (size == 0 || visible_acts(code)) {
			*to++ = '?';
			from += size > 0 ? size : 1;
			continue;
		}
		memmove(to, from, size);
		to += size;
		from += size;
	}
	*to = '\0';
}
