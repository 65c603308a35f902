/* SPDX-License-Identifier: MIT */
/* The cases of tests/web/, each a function of its name, which fails there by what it says. */
#ifndef WEB_CASE_H
#define WEB_CASE_H

/* The .init of their suites: fixture_start(), or they are skipped where a browser is missing. */
void web_case_start(void);
void web_case_passes(const char *name);

#define WEB_CASE(suite, name)           \
	Test(suite, name)               \
	{                               \
		web_case_passes(#name); \
	}

#endif
