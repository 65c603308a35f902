/* SPDX-License-Identifier: MIT */
#include "width.h"

#include <wchar.h>

/* For wcwidth(). One for all screens: it takes longer to make, from a file, than a screen. */
locale_t width_locale(void)
{
	static locale_t locale;
	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale;
}

/* glibc's idea, and besides what libvterm takes for combining: it must not get any. */
bool width_combines(uint32_t code)
{
	return wcwidth((wchar_t)code) == 0 || (code >= 0x600 && code <= 0x603) || code == 0x6dd ||
	       code == 0x6de || code == 0x70f || code == 0x1734 || code == 0x302e || code == 0x302f;
}
