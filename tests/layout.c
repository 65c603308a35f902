/* SPDX-License-Identifier: MIT */
/* The digest of what outlives a program. */
#include <kept_layout.h>

#include <criterion/criterion.h>
#include <string.h>

TestSuite(layout, .timeout = 20);

static size_t aligned(size_t offset, size_t align)
{
	return (offset + align - 1) / align * align;
}

/* Between two fields, and behind the last, there is no more than what the second's place takes. */
static void check_fields(const struct layout *layout)
{
	const struct layout_row *type = NULL;
	size_t end = 0;

	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_row *row = &layout->rows[i];
		bool field = row->name[0] == '.';
		if (field) {
			cr_expect_eq(row->offset, aligned(end, row->align),
				     "%s: a field before %s is missing", type->name, row->name);
			end = row->offset + row->size;
			continue;
		}
		if (type && type->size)
			cr_expect_eq(type->size, aligned(end, type->align),
				     "%s: the last field is missing", type->name);
		type = row;
		end = 0;
	}
}

Test(layout, all_fields_are_in_it)
{
	check_fields(&layout_core);
	check_fields(&kept_layout);
}

static uint32_t digest_of(struct layout_row row)
{
	return layout_digest(0, &(struct layout){ &row, 1 });
}

Test(layout, each_change_is_told)
{
	const struct layout_row is = { ".field", 8, 4, 4 };
	struct layout_row other = is;
	uint32_t digest = digest_of(is);

	cr_assert_eq(digest_of(other), digest);
	other.offset = 12;
	cr_assert_neq(digest_of(other), digest);
	other = is;
	other.size = 8;
	cr_assert_neq(digest_of(other), digest);
	other = is;
	other.name = ".another";
	cr_assert_neq(digest_of(other), digest);
	cr_assert_neq(layout_digest(1, &(struct layout){ &is, 1 }), digest);
	cr_assert_neq(kept_layout_digest(), layout_digest(0, &layout_core));
	cr_assert_neq(kept_layout_digest(), layout_digest(0, &kept_layout));
}
