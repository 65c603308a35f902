/* SPDX-License-Identifier: MIT */
/* The web terminal in a browser. */
#include <criterion/criterion.h>

#include "fixture.h"
#include "web_case.h"

TestSuite(pages, .init = web_case_start, .fini = fixture_stop, .timeout = 90);

WEB_CASE(pages, a_session_from_first_to_last)
WEB_CASE(pages, the_list)
WEB_CASE(pages, files)
WEB_CASE(pages, usage)
WEB_CASE(pages, colours)
WEB_CASE(pages, vim)
WEB_CASE(pages, a_window_resized)
WEB_CASE(pages, two_viewers)
WEB_CASE(pages, one_answers)
WEB_CASE(pages, a_reload_tells_nothing)
WEB_CASE(pages, a_flood)
WEB_CASE(pages, a_shell_reloaded)
WEB_CASE(pages, a_replay)
