/* SPDX-License-Identifier: MIT */
/* Which version of Landlock a config needs, and what is told of it. */
#include "landlock_floor.h"

#include <config.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config config;

static const struct access *access_of(const char *text)
{
	struct reason reason;
	unsigned line;
	int error;

	config_finish(&config);
	cr_assert_eq(config_init(&config), 0);
	config_apply(&config, NULL, text, strlen(text), &error, &line, &reason);
	cr_assert_eq(error, 0, "%s: %s", text, reason.text);
	return &config.access;
}

static void finish(void)
{
	config_finish(&config);
}

TestSuite(landlock_floor, .fini = finish, .timeout = 30);

Test(landlock_floor, follows_from_the_config)
{
	static const struct {
		const char *config;
		int floor;
	} rows[] = {
		{ "", 1 },
		{ "landlock 6\nlandlock auto\n", 1 },
		{ "ro /usr/share\nrw /srv\nseccomp compat\n", 1 },
		{ "network names\nallow a.org\n", 1 },
		{ "network host\n", 6 },
		{ "network tcp 80\n", 6 },
		{ "landlock 1\n", 1 },
		{ "landlock 6\n", 6 },
		{ "landlock none\n", 0 },
		{ "network host\nlandlock 3\n", 3 },
		{ "network host\nlandlock none\n", 0 },
		/* No port is kept below that, whatever is asked for. */
		{ "network tcp 80\nlandlock 3\n", 4 },
		{ "network tcp 80\nlandlock none\n", 4 },
		{ "network tcp 80\nlandlock 5\n", 5 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(landlock_floor(access_of(rows[i].config)), rows[i].floor, "%s: %d",
			     rows[i].config, landlock_floor(&config.access));
}

static void prints(const char *text, int abi, const char *expected)
{
	char *said = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&said, &size);

	cr_assert_not_null(to);
	landlock_print(access_of(text), abi, to);
	fclose(to);
	cr_expect_str_eq(said, expected, "%d, '%s': %s", abi, text, said);
	free(said);
}

#define TRUNCATE " truncate:read-only-mounts"
#define IOCTL " ioctl-dev:nodev-mounts"
#define SOCKETS " abstract-sockets:network-namespace"
#define SIGNALS " signals:pid-namespace"

Test(landlock_floor, what_stands_in_for_each_version)
{
	prints("", 0, "landlock-abi none\n");
	prints("", -ENOSYS, "landlock-abi none\n");
	prints("", 1,
	       "landlock-abi 1\nlandlock-stands-in" TRUNCATE IOCTL SOCKETS SIGNALS
	       "\nlandlock-refuses refer\n");
	prints("", 2, "landlock-abi 2\nlandlock-stands-in" TRUNCATE IOCTL SOCKETS SIGNALS "\n");
	prints("", 3, "landlock-abi 3\nlandlock-stands-in" IOCTL SOCKETS SIGNALS "\n");
	prints("", 4, "landlock-abi 4\nlandlock-stands-in" IOCTL SOCKETS SIGNALS "\n");
	prints("", 5, "landlock-abi 5\nlandlock-stands-in" SOCKETS SIGNALS "\n");
	prints("", 6, "landlock-abi 6\n");
	prints("", 9, "landlock-abi 9\n");
}

Test(landlock_floor, what_is_lacking)
{
	/* Ports are free with the host's network. */
	prints("network host\n", 3,
	       "landlock-abi 3\nlandlock-stands-in" IOCTL SIGNALS
	       "\nlandlock-lacks abstract-sockets\n");
	prints("network tcp 80\n", 3,
	       "landlock-abi 3\nlandlock-stands-in" IOCTL SIGNALS
	       "\nlandlock-lacks tcp abstract-sockets\n");
	prints("network tcp 80\n", 5,
	       "landlock-abi 5\nlandlock-stands-in" SIGNALS "\nlandlock-lacks abstract-sockets\n");
	prints("network tcp 80\n", 6, "landlock-abi 6\n");
}

/* What is told of a start that is refused has room for this. */
enum { ROOM = 200 };

static void explains(const char *text, int abi, const char *part)
{
	char said[2 * ROOM];

	landlock_explain(access_of(text), abi, said, sizeof(said));
	cr_expect(*part ? strstr(said, part) != NULL : !*said, "%d, '%s': %s", abi, text, said);
	cr_expect_lt(strlen(said), ROOM, "%zu: %s", strlen(said), said);
}

Test(landlock_floor, what_to_do_is_said)
{
	static const char *const ways[] = { "'landlock none' in config or a --defaults file",
					    "lsm=", "CONFIG_SECURITY_LANDLOCK",
					    "landlock_create_ruleset" };

	explains("", -EOPNOTSUPP, ways[0]);
	explains("", -EOPNOTSUPP, ways[1]);
	explains("", -ENOSYS, ways[0]);
	explains("", -ENOSYS, ways[2]);
	explains("", -EPERM, ways[0]);
	explains("", -EPERM, ways[3]);
	explains("", -ENOMEM, "Cannot allocate memory");
	explains("network host\n", 5, "'landlock 5' does without what it lacks");
	explains("network host\nlandlock 6\n", 5, "'landlock 5' does without what it lacks");
	explains("network tcp 80\n", 4, "'landlock 4' does without what it lacks");
	explains("network tcp 80\n", 3, "'landlock 4' needs only Linux 6.7");
	explains("network tcp 80\nlandlock none\n", -ENOSYS, "needs version 4 in any case");
	explains("network tcp 80\n", -EOPNOTSUPP, "needs version 4 in any case");
	explains("landlock 6\n", 2, "'landlock auto' takes it");
	explains("network tcp 80\nlandlock 2\n", 3, "'network tcp' needs version 4, of Linux 6.7");
	explains("landlock 6\n", 2, "version 6 is asked for, of Linux 6.12: this kernel has 2");
	explains("landlock 2\n", 1, "of Linux 5.19");
}

Test(landlock_floor, nothing_is_said_where_nothing_is_lacking)
{
	explains("", 1, "");
	explains("landlock none\n", -ENOSYS, "");
	explains("network host\n", 6, "");
	explains("landlock 4\nnetwork tcp 80\n", 4, "");
}
