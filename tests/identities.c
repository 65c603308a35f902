/* SPDX-License-Identifier: MIT */
/* Blocks of ids for root's sessions: what is a range, and that two never have the same one. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <identity.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

Test(identities, ranges)
{
	static const struct {
		const char *text;
		int error;
		uid_t first, last;
	} rows[] = {
		{ "65536-131071", 0, 65536, 131071 },
		{ "2013265920-2147352575", 0, IDENTITY_FIRST, IDENTITY_LAST },
		{ "100000-300000", 0, 100000, 300000 },
		{ "0-65535", -EINVAL, 0, 0 },               /* the machine's */
		{ "2147352576-2147418111", -EINVAL, 0, 0 }, /* systemd's */
		{ "4294901760-4294967295", -EINVAL, 0, 0 }, /* with -1 */
		{ "100000-165535", -EINVAL, 0, 0 },         /* no whole block */
		{ "131071-65536", -EINVAL, 0, 0 },
		{ "65536-4294967296", -EINVAL, 0, 0 },
		{ "65536", -EINVAL, 0, 0 },
		{ "65536-131071-", -EINVAL, 0, 0 },
		{ "-1-131071", -EINVAL, 0, 0 },
		{ " 65536-131071", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uid_t first = 0, last = 0;

		cr_expect_eq(identity_parse_range(rows[i].text, &first, &last), rows[i].error, "%s",
			     rows[i].text);
		if (rows[i].error == 0)
			cr_expect(first == rows[i].first && last == rows[i].last, "%s",
				  rows[i].text);
	}
}

/* Two blocks, for three. What one lets go of, the next may have. */
Test(identities, no_two_have_one_block)
{
	enum { FIRST = 0x6ffd0000, LAST = 0x6ffeffff };
	struct identities all[3];

	cr_assert_eq(identities_create(NULL, FIRST, LAST, &all[0]), 0);
	cr_assert_eq(identities_create(NULL, FIRST, LAST, &all[1]), 0);
	cr_expect_neq(all[0].first, all[1].first);
	cr_expect_eq(identities_create(NULL, FIRST, LAST, &all[2]), -EUSERS);
	uid_t first = all[0].first;
	identities_finish(&all[0]);
	cr_assert_eq(identities_create(NULL, FIRST, LAST, &all[2]), 0);
	cr_expect_eq(all[2].first, first);
	identities_finish(&all[1]);
	identities_finish(&all[2]);
}

Test(identities, begin_anew_behind_the_last)
{
	struct identities identities;

	identities_resume(NULL, IDENTITY_FIRST, IDENTITY_BLOCK - 2, false, &identities);
	cr_expect_eq(identities_give(&identities), IDENTITY_FIRST + IDENTITY_BLOCK - 2);
	cr_expect(!identities.again);
	cr_expect_eq(identities_give(&identities), IDENTITY_FIRST + IDENTITY_BLOCK - 1);
	cr_expect(identities.again);
	cr_expect_eq(identities_give(&identities), IDENTITY_FIRST);
	/* where ids may have been given that nobody recorded */
	identities_resume(NULL, IDENTITY_FIRST, IDENTITY_BLOCK + 5, false, &identities);
	cr_expect(identities.again);
	cr_expect_eq(identities_give(&identities), IDENTITY_FIRST + 5);
}
