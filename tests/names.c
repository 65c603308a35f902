/* SPDX-License-Identifier: MIT */
/* Which hosts lines allow: what is taken, what is refused, what decides, and what is public. */
#include "names.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void put(struct names *names, bool deny, const char *value)
{
	const char *why = NULL;
	int error = names_add(names, deny, value, &why);
	cr_assert_eq(error, 0, "'%s' gives %d: %s", value, error, why ? why : "");
}

static void change(struct names *names, bool deny, const char *value)
{
	const char *why;
	cr_assert_eq(names_change(names, deny, value, &why), 0, "%s", value);
}

static char *print(const struct names *names)
{
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	for (size_t i = 0; i < names->count; i++) {
		fputs(names->rules[i].deny ? "deny " : "allow ", to);
		names_print_rule(&names->rules[i], to);
		fputc('\n', to);
	}
	fclose(to);
	return text;
}

static void expect(const struct names *names, const char *lines)
{
	char *text = print(names);
	cr_expect_str_eq(text, lines);
	free(text);
}

static struct in6_addr address(const char *text)
{
	struct in6_addr out = { .s6_addr = { [10] = 0xff, 0xff } };
	if (inet_pton(AF_INET, text, &out.s6_addr[12]) != 1)
		cr_assert_eq(inet_pton(AF_INET6, text, &out), 1, "%s", text);
	return out;
}

Test(names, as_they_are_written)
{
	static const struct {
		const char *value, *printed;
	} rows[] = {
		{ "github.com", "github.com:80,443" },
		{ "GitHub.COM.", "github.com:80,443" },
		{ "github.com:22,443,22", "github.com:22,443" },
		{ "*.example.org", "*.example.org:80,443" },
		{ "*", "*:80,443" },
		{ "10.1.2.3:5432", "10.1.2.3:5432" },
		{ "[2001:DB8::1]:443", "[2001:db8::1]:443" },
		{ "2001:db8::1", "[2001:db8::1]:80,443" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example:80,443" },
		{ "_srv._tcp.example", "_srv._tcp.example:80,443" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct names names = { 0 };
		char *text;
		put(&names, false, rows[i].value);
		text = print(&names);
		text[strcspn(text, "\n")] = '\0';
		cr_expect_str_eq(text + strlen("allow "), rows[i].printed);
		free(text);
		names_finish(&names);
	}
}

Test(names, what_is_none)
{
	static const char *const values[] = {
		"",
		":80",
		"a..b",
		".a",
		"a b",
		"a/b",
		"*a.org",
		"a.*.b",
		"**",
		"1.2.3",
		"1.2.3.4.5",
		"256.1.1.1",
		"a:0",
		"a:65536",
		"a:",
		"a:80,",
		"a:,80",
		"a:80:81",
		"[::1",
		"[a]:80",
		"::ffff:1.2.3.4",
		"a:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
		"b\303\274cher.example",
	};
	struct names names = { 0 };
	const char *why = NULL;
	char label[80];
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		cr_expect_eq(names_add(&names, false, values[i], &why), -EINVAL, "%s", values[i]);
	cr_expect_eq(names_add(&names, true, "a.org:80", &why), -EINVAL, "deny takes no ports");
	memset(label, 'a', 63);
	strcpy(label + 63, ".org");
	cr_expect_eq(names_add(&names, false, label, &why), 0);
	memset(label, 'a', 64);
	strcpy(label + 64, ".org");
	cr_expect_eq(names_add(&names, false, label, &why), -EINVAL);
	names_finish(&names);
}

Test(names, there_is_a_most)
{
	struct names names = { 0 };
	const char *why;
	char name[32];
	for (int i = 0; i < NAMES_RULES_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		put(&names, false, name);
	}
	cr_expect_eq(names_add(&names, false, "one.more", &why), -E2BIG);
	cr_expect_eq(names_add(&names, false, "n7.example:1", &why), 0);
	/* What closes the network has room. */
	cr_expect_eq(names_change(&names, true, "*", &why), 0);
	expect(&names, "deny *\n");
	names_finish(&names);
}

static bool may(const struct names *names, const char *name, uint16_t port)
{
	return names_find_port(names, name, port) != NULL;
}

Test(names, decisions)
{
	struct names names = { 0 };
	struct in6_addr ten = address("10.1.2.3"), other = address("10.1.2.4");
	put(&names, false, "github.com:22,443");
	put(&names, false, "*.example.org");
	put(&names, true, "bad.example.org");
	put(&names, false, "10.1.2.3:5432");
	cr_expect(may(&names, "github.com", 22) && may(&names, "github.com", 443));
	cr_expect(!may(&names, "github.com", 80) && !may(&names, "api.github.com", 443));
	cr_expect(!may(&names, "agithub.com", 443) && !may(&names, "github.com.evil.org", 443));
	cr_expect(may(&names, "a.example.org", 80) && may(&names, "a.b.example.org", 443));
	cr_expect(!may(&names, "example.org", 443) && !may(&names, "xexample.org", 443));
	cr_expect(!may(&names, "bad.example.org", 443), "deny goes first");
	cr_expect(names_find(&names, "bad.example.org")->deny);
	cr_expect_null(names_find(&names, "nothing.org"));
	cr_expect(names_find_address(&names, &ten, 5432) && names_find_address(&names, &ten, 0));
	cr_expect(!names_find_address(&names, &ten, 80));
	cr_expect(!names_find_address(&names, &other, 5432));
	put(&names, false, "*");
	cr_expect(may(&names, "nothing.org", 80) && !may(&names, "bad.example.org", 443));
	cr_expect(!names_find_address(&names, &other, 80), "no name is an address");
	put(&names, true, "*");
	cr_expect(!may(&names, "github.com", 443) && !names_find_address(&names, &ten, 5432));
	names_finish(&names);
}

Test(names, of_one_host_the_last_counts_while_it_runs)
{
	struct names names = { 0 };
	put(&names, false, "a.org");
	put(&names, false, "a.org:22");
	put(&names, false, "b.a.org");
	put(&names, false, "c.net");
	put(&names, false, "10.0.0.1:1");
	expect(&names, "allow a.org:22\nallow b.a.org:80,443\nallow c.net:80,443\n"
		       "allow 10.0.0.1:1\n");
	uint32_t id = names.rules[2].id;
	change(&names, true, "*.a.org");
	expect(&names, "allow a.org:22\nallow c.net:80,443\nallow 10.0.0.1:1\ndeny *.a.org\n");
	cr_expect_eq(names.rules[1].id, id, "a line keeps its number");
	change(&names, false, "b.a.org");
	cr_expect(!may(&names, "b.a.org", 80), "deny goes first");
	change(&names, false, "*.a.org");
	cr_expect(may(&names, "b.a.org", 80));
	change(&names, true, "*");
	expect(&names, "deny *\n");
	change(&names, false, "c.net");
	expect(&names, "allow c.net:80,443\n");
	names_finish(&names);
}

Test(names, what_a_ceiling_covers)
{
	struct names most = { 0 }, asked = { 0 };
	put(&most, false, "*.example.org:443");
	put(&most, false, "a.net:22,443");
	put(&most, false, "10.0.0.1:5432");
	static const struct {
		const char *value;
		bool covered;
	} rows[] = {
		{ "x.example.org:443", true }, { "*.b.example.org:443", true },
		{ "*.example.org:443", true }, { "example.org:443", false },
		{ "x.example.org", false },    { "a.net:443", true },
		{ "*.a.net:443", false },      { "*:443", false },
		{ "10.0.0.1:5432", true },     { "10.0.0.2:5432", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		put(&asked, false, rows[i].value);
		cr_expect_eq(names_covers(&most, &asked.rules[asked.count - 1]), rows[i].covered,
			     "%s", rows[i].value);
		names_finish(&asked);
	}
	names_finish(&most);
}

Test(names, public_addresses)
{
	static const char *const public[] = { "1.1.1.1",          "93.184.216.34",   "172.15.0.1",
					      "172.32.0.1",       "100.63.0.1",      "100.128.0.1",
					      "192.169.0.1",      "198.17.0.1",      "198.20.0.1",
					      "223.255.255.255",  "2606:4700::1",    "2001:db8::1",
					      "64:ff9b::101:101", "2002:101:101::1", "2a00::1" };
	static const char *const others[] = {
		"0.0.0.0",
		"10.0.0.1",
		"127.0.0.1",
		"127.9.9.9",
		"169.254.169.254",
		"172.16.0.1",
		"172.31.255.1",
		"192.168.1.1",
		"198.18.0.1",
		"198.19.255.1",
		"100.64.0.1",
		"100.127.0.1",
		"224.0.0.1",
		"255.255.255.255",
		"192.0.0.1",
		"168.63.129.16",
		"::",
		"::1",
		"::127.0.0.1",
		"fe80::1",
		"fc00::1",
		"fd00:ec2::254",
		"ff02::1",
		"::ffff:127.0.0.1",
		"64:ff9b::7f00:1",
		"64:ff9b:1::1",
		"2002:7f00:1::",
		"2001::1",
		"fec0::1",
		"::ffff:169.254.169.254",
	};
	for (size_t i = 0; i < sizeof(public) / sizeof(*public); i++) {
		struct in6_addr at = address(public[i]);
		cr_expect(names_is_public(&at), "%s", public[i]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct in6_addr at = address(others[i]);
		cr_expect(!names_is_public(&at), "%s", others[i]);
	}
}
