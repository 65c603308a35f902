/* SPDX-License-Identifier: MIT */
/* The modes that output leaves a terminal in. */
#include "modes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct modes modes;

TestSuite(modes, .timeout = 20);

static void feed(const char *text)
{
	modes_feed(&modes, text, strlen(text));
}

static void expect(const char *wanted)
{
	char text[MODES_TEXT_MAX];
	cr_expect_eq(modes_text(&modes, text), strlen(wanted));
	cr_expect_str_eq(text, wanted);
}

Test(modes, text_sets_none)
{
	feed("hello\r\n\tw\xc3\xb6rld\x9b?1049h \033[31mred\033[0m\033[2J\033[H\033]0;title\007");
	expect("");
}

Test(modes, the_last_of_each_counts)
{
	feed("\033[?1;2004h\033=\033[?25l\033[4h");
	expect("\033[?1h\033[?25l\033[?2004h\033[4h\033=");
	feed("\033[?1l\033>\033[?25h\033[4l");
	expect("\033[?1l\033[?25h\033[?2004h\033[4l\033>");
}

Test(modes, the_screen_comes_first)
{
	feed("\033[?1000h\033[?1049h\033[2;10r\033(0");
	expect("\033[?1049h\0337\033[2;10r\0338\033[?1000h\033(0");
	feed("\033[r\033(B\033[?1049l");
	expect("\033[?1000h\033(B");
}

/* They are kept for other programs, so each mode has its bit for good. */
Test(modes, bits_are_of_one_mode)
{
	static const char *const sequences[] = {
		"?1",    "?5",    "?6",    "?7",    "?25",   "?45",   "?66",   "?1000", "?1002",
		"?1003", "?1004", "?1005", "?1006", "?1015", "?1016", "?2004", "4",     "20",
	};

	for (unsigned i = 0; i < sizeof(sequences) / sizeof(*sequences); i++) {
		char text[32];
		memset(&modes, 0, sizeof(modes));
		snprintf(text, sizeof(text), "\033[%sh", sequences[i]);
		feed(text);
		cr_expect_eq(modes.known, UINT32_C(1) << i, "%s", sequences[i]);
		cr_expect_eq(modes.on, UINT32_C(1) << i, "%s", sequences[i]);
	}
}

Test(modes, resets)
{
	feed("\033[?1049h\033[?1h\033[5r\033[!p");
	expect("\033[?1049h");
	feed("\033[?1h\033c");
	expect("");
}

/* However it was cut, and whatever is between. */
Test(modes, byte_by_byte)
{
	for (const char *at = "a\033[?10\r49;1h\033]8;;x\033\\\033[?6h\033[?7\030l"; *at; at++)
		modes_feed(&modes, at, 1);
	expect("\033[?1049h\033[?1h\033[?6h");
}

Test(modes, what_is_inside_strings_is_no_mode)
{
	feed("\033]0;\r[?1049h\007\033P[?1049h\033\\\033_[?1h\033\\");
	expect("");
}

Test(modes, far_too_many_parameters)
{
	feed("\033[");
	for (int i = 0; i < 100000; i++)
		feed("?1;99999999999");
	feed("h\033[?25l");
	expect("\033[?25l");
}

Test(modes, all_of_them_fit)
{
	char text[MODES_TEXT_MAX];
	feed("\033[?1049h\033[65535;65535r\033(0\033)0\033*0\033+0\033=\033[4;20h");
	for (int mode = 1; mode < 3000; mode++) {
		sprintf(text, "\033[?%dh", mode);
		feed(text);
	}
	cr_expect_lt(modes_text(&modes, text), MODES_TEXT_MAX / 2);
	cr_expect_not_null(strstr(text, "\033="));
}
