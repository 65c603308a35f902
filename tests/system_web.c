/* SPDX-License-Identifier: MIT */
/* The web terminal, by requests that no page of its own would make, and by many of them. */
#include <criterion/criterion.h>

#include "fixture.h"
#include "web_case.h"

TestSuite(web, .init = web_case_start, .fini = fixture_stop, .timeout = 90);

WEB_CASE(web, nothing_without_the_key)
WEB_CASE(web, the_way_in)
WEB_CASE(web, no_other_page_and_no_other_name)
WEB_CASE(web, one_address)
WEB_CASE(web, names_and_paths)
WEB_CASE(web, what_is_too_much)
WEB_CASE(web, files_of_the_workspace)
WEB_CASE(web, files_and_links)
WEB_CASE(web, a_hundred_come_and_go)
WEB_CASE(web, one_that_sleeps)
WEB_CASE(web, a_flood_that_drops)
WEB_CASE(web, sizes_that_are_too_many)
WEB_CASE(web, idle_connections)
WEB_CASE(web, a_paste_without_end)
WEB_CASE(web, commands_as_text)
WEB_CASE(web, modes_outlast_output)
WEB_CASE(web, refused_ones_are_not_waited_for)
WEB_CASE(web, removed_while_resized)

/* It says so, and ends. */
Test(web, the_mount_ends)
{
	web_case_passes("the_mount_ends");
	fixture_daemon_ended(0);
}
