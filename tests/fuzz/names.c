/* SPDX-License-Identifier: MIT */
/*
 * Lines of `allow` and `deny`: what is taken is printed so that it is taken again, and comes to the
 * same; a name that is denied is never allowed; what a list covers it allows.
 */
#include "fuzz.h"

#include <errno.h>
#include <names.h>

static void check_again(const struct names *names)
{
	struct names again = { 0 };
	for (size_t i = 0; i < names->count; i++) {
		char *text;
		size_t size;
		const char *why;
		FILE *to = open_memstream(&text, &size);
		CHECK(to);
		names_print_rule(&names->rules[i], to);
		CHECK(fclose(to) == 0);
		CHECK(names_add(&again, names->rules[i].deny, text, &why) == 0);
		free(text);
		const struct names_rule *a = &names->rules[i], *b = &again.rules[again.count - 1];
		CHECK(a->kind == b->kind && strcmp(a->host, b->host) == 0);
		CHECK(a->port_count == b->port_count);
		CHECK(memcmp(a->ports, b->ports, a->port_count * sizeof(*a->ports)) == 0);
	}
	CHECK(again.count == names->count);
	names_finish(&again);
}

static void check_name(const struct names *names, const char *text)
{
	char name[NAMES_NAME_MAX + 1], again[NAMES_NAME_MAX + 1];
	if (!names_tidy(text, name))
		return;
	CHECK(names_tidy(name, again) && strcmp(name, again) == 0);
	const struct names_rule *rule = names_find(names, name);
	for (unsigned port = 1; port < 65536; port += 997) {
		const struct names_rule *found = names_find_port(names, name, (uint16_t)port);
		CHECK(!found || (rule && !rule->deny && !found->deny));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct names names = { 0 }, copy;
	while (input.size) {
		char *text = fuzz_string(&input, '\n');
		const char *why = NULL;
		bool deny = text[0] == '!', live = text[0] && text[1] == '!';
		const char *value = text + deny + live;
		int error = live ? names_change(&names, deny, value, &why)
				 : names_add(&names, deny, value, &why);
		CHECK(error == 0 || ((error == -EINVAL || error == -E2BIG) && why));
		check_name(&names, value);
		free(text);
	}
	check_again(&names);
	for (size_t i = 0; i < names.count; i++)
		CHECK(names.rules[i].deny || names_covers(&names, &names.rules[i]));
	CHECK(names_copy(&copy, &names) == 0);
	names_finish(&copy);
	names_finish(&names);
	return 0;
}
