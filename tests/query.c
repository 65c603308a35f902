/* SPDX-License-Identifier: MIT */
/* What a program asks its terminal, and what it is answered. */
#include "query.h"
#include "answer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(query, .timeout = 20);

/* What the session answers; "": a query that it does not answer; NULL: no query. */
static const struct {
	const char *asked, *answered;
} cases[] = {
	{ "\033[5n", "\033[0n" },
	{ "\033[6n", "\033[7;9R" },
	{ "\033[?6n", "\033[?7;9;1R" },
	{ "\033[c", "\033[?62;22c" },
	{ "\033[0c", "\033[?62;22c" },
	{ "\033Z", "" },
	{ "\033[>c", "\033[>1;276;0c" },
	{ "\033[>0c", "\033[>1;276;0c" },
	{ "\033[=c", "\033P!|00000000\033\\" },
	{ "\033[>q", "\033P>|mimobox(" MIMOBOX_VERSION ")\033\\" },
	{ "\033[?7$p", "\033[?7;1$y" },
	{ "\033[?25$p", "\033[?25;2$y" },
	{ "\033[?2004$p", "\033[?2004;1$y" },
	{ "\033[?1000$p", "\033[?1000;2$y" },
	{ "\033[?1049$p", "\033[?1049;2$y" },
	{ "\033[?2026$p", "\033[?2026;0$y" },
	{ "\033[4$p", "\033[4;1$y" },
	{ "\033[20$p", "\033[20;2$y" },
	{ "\033[99999999$p", "\033[65535;0$y" },
	{ "\033P$qr\033\\", "\033P1$r2;20r\033\\" },
	{ "\033P$q\"p\033\\", "\033P1$r62;1\"p\033\\" },
	{ "\033P$qm\033\\", "\033P0$r\033\\" },
	{ "\033P$q q\033\\", "\033P0$r\033\\" },
	{ "\033P+q544e;436f\033\\", "\033P0+r\033\\" },
	{ "\033[14t", "\033[4;384;640t" },
	{ "\033[16t", "\033[6;16;8t" },
	{ "\033[18t", "\033[8;24;80t" },
	{ "\033[19t", "\033[9;24;80t" },
	{ "\033]10;?\033\\", "\033]10;rgb:e5e5/e5e5/e5e5\033\\" },
	{ "\033]11;?\007", "\033]11;rgb:0000/0000/0000\007" },
	{ "\033]11;?;?\007", "\033]11;rgb:0000/0000/0000\007\033]12;rgb:e5e5/e5e5/e5e5\007" },
	{ "\033]4;1;?\033\\", "\033]4;1;rgb:cdcd/0000/0000\033\\" },
	{ "\033]4;16;?;110;?;232;?;255;?\007",
	  "\033]4;16;rgb:0000/0000/0000\007\033]4;110;rgb:8787/afaf/d7d7\007"
	  "\033]4;232;rgb:0808/0808/0808\007\033]4;255;rgb:eeee/eeee/eeee\007" },
	{ "\033]4;7;rgb:00/00/00;9;?\007", "\033]4;9;rgb:ffff/0000/0000\007" },
	{ "\033]4;256;?\007", "" },
	/* what others answer */
	{ "\033[?u", "" },
	{ "\033[?4m", "" },
	{ "\033[?15n", "" },
	{ "\033[?996n", "" },
	{ "\033[21t", "" },
	{ "\033[x", "" },
	{ "\033[?1;1S", "" },
	{ "\033[1$w", "" },
	{ "\033[1;1;1;1;2;2*y", "" },
	{ "\033]52;c;?\007", "" },
	{ "\033]17;?\007", "" },
	{ "\033]21;foreground=?\033\\", "" },
	{ "\033]1337;ReportCellSize\007", "" },
	{ "\033P+Q6e616d65\033\\", "" },
	/* no questions */
	{ "\033[m", NULL },
	{ "\033[6m", NULL },
	{ "\033[1c", NULL },
	{ "\033[>4;2m", NULL },
	{ "\033[>1u", NULL },
	{ "\033[22;0t", NULL },
	{ "\033[8;24;80t", NULL },
	{ "\033[!p", NULL },
	{ "\033[1 q", NULL },
	{ "\033[6:1n", NULL },
	{ "\033[6!!n", NULL },
	{ "\033]0;what; ?\007", NULL },
	{ "\033]2;?\007", NULL },
	{ "\033]8;;http://x/;?\033\\", NULL },
	{ "\033]52;c;QUJD;?\007", NULL },
	{ "\033]11;#ffffff\007", NULL },
	{ "\033]104\007", NULL },
	{ "\033]\007", NULL },
	{ "\033P\033\\", NULL },
	{ "\033Pq#0;2;0;0;0#0~~\033\\", NULL },
	{ "\033P1$qm\033\\", NULL },
	{ "\033(0", NULL },
	{ "\0337", NULL },
	{ "\033[2\0306n", NULL },
	{ "?6n", NULL },
};
enum { CASES = sizeof(cases) / sizeof(*cases) };

static struct modes modes;

static size_t answer(const struct query *query, char text[static ANSWER_MAX + 1])
{
	static const char set[] = "\033[2;20r\033[4h\033[?25l\033[?2004h";
	const struct answer_facts facts = {
		.rows = 24, .cols = 80, .row = 7, .col = 9, .modes = &modes
	};
	memset(&modes, 0, sizeof(modes));
	modes_feed(&modes, set, strlen(set));
	size_t size = answer_print(query, &facts, text);
	text[size] = '\0';
	return size;
}

Test(query, is_answered)
{
	for (unsigned i = 0; i < CASES; i++) {
		struct query_scanner scanner = { 0 };
		struct query query;
		char text[ANSWER_MAX + 1];
		const char *at = cases[i].asked, *end = at + strlen(at);
		bool found = query_next(&scanner, &at, end, &query);

		cr_expect_eq(found, cases[i].answered != NULL, "%s", cases[i].asked + 1);
		if (!found || !cases[i].answered)
			continue;
		cr_expect(at == end, "%s", cases[i].asked + 1);
		answer(&query, text);
		cr_expect_str_eq(text, cases[i].answered, "%s", cases[i].asked + 1);
		cr_expect_not(query_next(&scanner, &at, end, &query));
	}
}

/* All of them in one text, cut into pieces of any size. */
Test(query, is_found_in_pieces)
{
	static char whole[8192], answers[8192];

	for (unsigned i = 0; i < CASES; i++) {
		sprintf(whole + strlen(whole), "%u\xc3\xb6%s", i, cases[i].asked);
		strcat(answers, cases[i].answered ? cases[i].answered : "");
	}
	for (size_t piece = 1; piece <= strlen(whole); piece++) {
		struct query_scanner scanner = { 0 };
		static char got[8192];
		const char *end = whole + strlen(whole);

		got[0] = '\0';
		for (const char *from = whole; from < end; from += piece) {
			const char *to = end - from < (ptrdiff_t)piece ? end : from + piece;
			const char *at = from;
			struct query query;
			while (query_next(&scanner, &at, to, &query)) {
				char text[ANSWER_MAX + 1];
				answer(&query, text);
				strcat(got, text);
			}
		}
		cr_assert_str_eq(got, answers, "%zu", piece);
	}
}

/* In origin mode rows are those of the region. */
Test(query, origin)
{
	static const char set[] = "\033[5;20r\033[?6h";
	struct answer_facts facts = { .rows = 24, .cols = 80, .row = 7, .col = 9, .modes = &modes };
	const struct query query = { .kind = QUERY_CURSOR };
	char text[ANSWER_MAX + 1];

	modes_feed(&modes, set, strlen(set));
	text[answer_print(&query, &facts, text)] = '\0';
	cr_expect_str_eq(text, "\033[3;9R");
	facts.rows = 4; /* the region does not exist any more */
	text[answer_print(&query, &facts, text)] = '\0';
	cr_expect_str_eq(text, "\033[7;9R");
}

/* What a terminal gets that is not to answer. */
static size_t filter(const char *data, size_t size, size_t piece, char *to)
{
	struct query_filter filter = { .to = to };
	struct query query;

	for (size_t done = 0; done < size; done += piece) {
		const char *at = data + done,
			   *end = data + (size - done < piece ? size : done + piece);
		while (query_filter_next(&filter, &at, end, &query))
			cr_expect_neq(query.kind, QUERY_NONE);
	}
	query_filter_flush(&filter);
	return filter.size;
}

Test(query, terminal_gets_all_but_queries)
{
	static char whole[8192], rest[8192], got[8192 + QUERY_HELD_MAX];

	for (unsigned i = 0; i < CASES; i++) {
		sprintf(whole + strlen(whole), "%u\xc3\xb6%s", i, cases[i].asked);
		sprintf(rest + strlen(rest), "%u\xc3\xb6%s", i,
			cases[i].answered ? "" : cases[i].asked);
	}
	strcat(whole, "\033[1\n;3\005m\005\033_Ga=q,i=1;AAAA\033\\\033_other\033\\\033[6");
	strcat(rest, "\n\033[1;3m\033_other\033\\\033[6");
	for (size_t piece = 1; piece <= strlen(whole); piece++) {
		size_t size = filter(whole, strlen(whole), piece, got);
		cr_assert_eq(size, strlen(rest), "%zu", piece);
		cr_assert(memcmp(got, rest, size) == 0, "%zu: %.*s", piece, (int)size, got);
	}
}

/* What is left does not become one by what was taken away. */
Test(query, terminal_gets_none_by_another_going)
{
	static const char text[] = "\033[\033[6n6n\033]11;\033[c?\007";
	char got[sizeof(text) + QUERY_HELD_MAX];
	size_t size = filter(text, strlen(text), 1, got);

	cr_expect_eq(size, strlen("6n?\007"));
	cr_expect(memcmp(got, "6n?\007", size) == 0);
}

/* However long a query is; and however long what is none. */
Test(query, long_ones)
{
	static char text[70000], got[70000 + QUERY_HELD_MAX];
	static const struct {
		const char *begins, *ends;
		bool asks;
	} strings[] = {
		{ "\033P+q", "\033\\", true },       { "\033_Gi=1;", "\033\\", true },
		{ "\033Pq", "\033\\", false },       { "\033]0;", "\007", false },
		{ "\033]52;c;", "\007", false },     { "\033]1337;File=:", "\007", false },
		{ "\033]11;rgb:", "\033\\", false }, { "\033[", "m", false },
	};

	for (unsigned i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		memset(text, '1', sizeof(text));
		memcpy(text, strings[i].begins, strlen(strings[i].begins));
		memcpy(text + sizeof(text) - strlen(strings[i].ends), strings[i].ends,
		       strlen(strings[i].ends));
		size_t size = filter(text, sizeof(text), 4096, got);
		cr_expect_eq(size, strings[i].asks ? 0 : sizeof(text), "%s: %zu",
			     strings[i].begins + 1, size);
		cr_expect(strings[i].asks || memcmp(got, text, sizeof(text)) == 0);
	}
}
