/* SPDX-License-Identifier: MIT */
/* Messages of DNS and TLS, and the files that say where to ask. */
#include "dns.h"

#include "resolver.h"
#include "tls_name.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

struct message {
	uint8_t data[2048];
	size_t size;
};

static void bytes(struct message *to, const void *data, size_t size)
{
	memcpy(to->data + to->size, data, size);
	to->size += size;
}

static void number(struct message *to, unsigned value)
{
	const uint8_t two[] = { (uint8_t)(value >> 8), (uint8_t)value };
	bytes(to, two, 2);
}

static void head(struct message *to, unsigned flags, unsigned answers)
{
	*to = (struct message){ .size = 0 };
	number(to, 0x1234);
	number(to, flags);
	number(to, 1);
	number(to, answers);
	number(to, 0);
	number(to, 0);
}

static void name(struct message *to, const char *text)
{
	while (*text) {
		uint8_t length = (uint8_t)strcspn(text, ".");
		bytes(to, &length, 1);
		bytes(to, text, length);
		text += length + (text[length] == '.');
	}
	bytes(to, "", 1);
}

static void question(struct message *to, const char *text, unsigned type)
{
	head(to, 0x0100, 0);
	name(to, text);
	number(to, type);
	number(to, 1);
}

Test(dns, a_question_and_its_answers)
{
	struct message asked;
	struct dns_question read;
	struct in_addr address;
	uint8_t answer[DNS_MESSAGE_MAX];
	question(&asked, "WWW.Example.org", DNS_A);
	cr_assert_eq(dns_read_question(asked.data, asked.size, &read), 0);
	cr_expect_str_eq(read.name, "www.example.org");
	cr_expect(read.usual && read.type == DNS_A && !read.edns && read.end == asked.size);

	inet_pton(AF_INET, "198.18.0.7", &address);
	size_t size = dns_write_answer(asked.data, &read,
				       &(struct dns_answer){ .address = &address, .seconds = 60 },
				       answer);
	struct dns_addresses found;
	cr_expect_eq(size, asked.size + 16);
	cr_expect_arr_eq(answer + 12, asked.data + 12, asked.size - 12, "as it was asked");
	cr_expect_eq(dns_read_addresses(answer, size, 0x1234, "www.example.org", DNS_A, &found), 0);
	cr_expect(found.count == 1 && found.seconds == 60);
	cr_expect_arr_eq(&found.addresses[0].s6_addr[12], &address, 4);
	cr_expect_eq(dns_read_addresses(answer, size, 0x1235, "www.example.org", DNS_A, &found),
		     -EINVAL, "another number");
	cr_expect_eq(dns_read_addresses(answer, size, 0x1234, "www.example.net", DNS_A, &found),
		     -EINVAL, "another name");
	cr_expect_eq(dns_read_addresses(answer, size, 0x1234, "www.example.org", DNS_AAAA, &found),
		     -EINVAL, "another kind");
}

Test(dns, what_is_refused_says_so)
{
	struct message asked;
	struct dns_question read;
	struct dns_addresses found;
	uint8_t answer[DNS_MESSAGE_MAX];
	static const uint8_t option[] = { 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0 };
	question(&asked, "evil.org", DNS_A);
	asked.data[11] = 1;
	bytes(&asked, option, sizeof(option));
	cr_assert_eq(dns_read_question(asked.data, asked.size, &read), 0);
	cr_expect(read.edns && read.most == 1232);
	size_t size = dns_write_answer(
		asked.data, &read,
		&(struct dns_answer){ .code = DNS_NO_NAME, .reason = DNS_BLOCKED }, answer);
	cr_expect_eq(dns_read_addresses(answer, size, 0x1234, "evil.org", DNS_A, &found), 0);
	cr_expect(found.code == DNS_NO_NAME && found.count == 0);
	static const uint8_t reason[] = { 0, 15, 0, 2, 0, 15 };
	cr_expect_arr_eq(answer + size - sizeof(reason), reason, sizeof(reason));
}

Test(dns, malformed_questions)
{
	struct message asked;
	struct dns_question read;
	static const uint8_t link[] = { 0xc0, 12, 0, 1, 0, 1 }, far[] = { 63, 'a' };
	question(&asked, "a.org", DNS_A);
	for (size_t size = 0; size < asked.size; size++)
		cr_expect_neq(dns_read_question(asked.data, size, &read), 0, "%zu", size);
	asked.data[2] |= 0x80;
	cr_expect_eq(dns_read_question(asked.data, asked.size, &read), -EINVAL, "an answer");
	asked.data[2] = 0x28;
	cr_expect_eq(dns_read_question(asked.data, asked.size, &read), DNS_NOT_IMPLEMENTED);
	head(&asked, 0, 0);
	bytes(&asked, link, sizeof(link));
	cr_expect_eq(dns_read_question(asked.data, asked.size, &read), DNS_FORMAT_ERROR, "a loop");
	head(&asked, 0, 0);
	bytes(&asked, far, sizeof(far));
	cr_expect_eq(dns_read_question(asked.data, asked.size, &read), DNS_FORMAT_ERROR);
	question(&asked, "a.org", DNS_A);
	asked.data[5] = 2;
	cr_expect_eq(dns_read_question(asked.data, asked.size, &read), DNS_FORMAT_ERROR, "two");
}

/* The longest is of 255 bytes, with its labels' lengths and its end. */
Test(dns, the_longest_name)
{
	struct message asked;
	struct dns_question read;
	char text[300] = "";
	for (int i = 0; i < 3; i++) {
		memset(text + strlen(text), 'a', 63);
		strcat(text, ".");
	}
	memset(text + strlen(text), 'b', 61);
	question(&asked, text, DNS_A);
	cr_expect_eq(dns_read_question(asked.data, asked.size, &read), 0);
	cr_expect_str_eq(read.name, text);
	strcat(text, "b");
	question(&asked, text, DNS_A);
	cr_expect_eq(dns_read_question(asked.data, asked.size, &read), DNS_FORMAT_ERROR);
}

Test(dns, names_of_odd_bytes_are_not_usual)
{
	struct message asked;
	struct dns_question read;
	head(&asked, 0, 0);
	bytes(&asked, "\4a.\0\n\3org", 10);
	bytes(&asked, "\0\1\0\1", 4);
	cr_assert_eq(dns_read_question(asked.data, asked.size, &read), 0);
	cr_expect(!read.usual);
	cr_expect_str_eq(read.name, "a???.org");
}

static void record(struct message *to, const char *owner, unsigned type, unsigned seconds,
		   const void *data, size_t size)
{
	name(to, owner);
	number(to, type);
	number(to, 1);
	number(to, 0);
	number(to, seconds);
	number(to, (unsigned)size);
	bytes(to, data, size);
}

static void link_to(struct message *to, const char *owner, const char *target)
{
	struct message target_name = { .size = 0 };
	name(&target_name, target);
	record(to, owner, DNS_CNAME, 30, target_name.data, target_name.size);
}

Test(dns, links_are_followed_in_any_order)
{
	struct message answer;
	struct dns_addresses found;
	static const uint8_t mine[] = { 93, 0, 0, 1 }, others[] = { 6, 6, 6, 6 };
	head(&answer, 0x8180, 4);
	name(&answer, "a.org");
	number(&answer, DNS_A);
	number(&answer, 1);
	record(&answer, "c.org", DNS_A, 300, mine, 4);
	record(&answer, "other.org", DNS_A, 300, others, 4);
	link_to(&answer, "b.org", "c.org");
	link_to(&answer, "a.org", "b.org");
	cr_assert_eq(dns_read_addresses(answer.data, answer.size, 0x1234, "a.org", DNS_A, &found),
		     0);
	cr_expect(found.count == 1 && found.seconds == 30);
	cr_expect_arr_eq(&found.addresses[0].s6_addr[12], mine, 4);
}

Test(dns, links_in_a_ring_end)
{
	struct message answer;
	struct dns_addresses found;
	head(&answer, 0x8180, 2);
	name(&answer, "a.org");
	number(&answer, DNS_A);
	number(&answer, 1);
	link_to(&answer, "a.org", "b.org");
	link_to(&answer, "b.org", "a.org");
	cr_expect_eq(dns_read_addresses(answer.data, answer.size, 0x1234, "a.org", DNS_A, &found),
		     0);
	cr_expect_eq(found.count, 0);
}

Test(dns, reverse_names)
{
	struct in_addr address, expected;
	inet_pton(AF_INET, "198.18.0.7", &expected);
	cr_expect(dns_is_reverse("7.0.18.198.in-addr.arpa", &address));
	cr_expect_eq(address.s_addr, expected.s_addr);
	cr_expect(!dns_is_reverse("7.0.18.198.in-addr.arpa.org", &address));
	cr_expect(!dns_is_reverse("300.0.18.198.in-addr.arpa", &address));
	cr_expect(!dns_is_reverse("0.18.198.in-addr.arpa", &address));
}

Test(dns, a_question_of_our_own_is_one)
{
	uint8_t message[DNS_MESSAGE_MAX];
	struct dns_question read;
	size_t size = dns_write_question(7, "a.example.org", DNS_AAAA, message);
	cr_assert_eq(dns_read_question(message, size, &read), 0);
	cr_expect_str_eq(read.name, "a.example.org");
	cr_expect(read.type == DNS_AAAA && read.edns);
	cr_expect_eq(dns_write_question(7, "a..org", DNS_A, message), 0);
}

Test(dns, servers)
{
	struct resolver_config config;
	resolver_read_config("# none\nsearch x\nnameserver 1.2.3.4 # first\n"
			     "nameserver fe80::1%eth0\nnameserver 2001:db8::1\r\n"
			     "options ndots:5 timeout:3 attempts:99\n",
			     &config);
	cr_expect(config.count == 2 && config.seconds == 3 && config.attempts == 5);
	cr_expect_eq(config.servers[0].s6_addr[12], 1);
	cr_expect_eq(config.servers[1].s6_addr[0], 0x20);
	resolver_read_config("", &config);
	cr_expect(config.count == 1 && config.servers[0].s6_addr[12] == 127);
}

Test(dns, hosts)
{
	static const char hosts[] = "127.0.0.1 localhost\n# 9.9.9.9 a.org\n"
				    "1.2.3.4\tb.org A.org # x\n::5 a.org.\nbad a.org\n";
	struct dns_addresses found;
	cr_assert(resolver_read_hosts(hosts, "a.org", &found));
	cr_expect_eq(found.count, 2);
	cr_expect_eq(found.addresses[0].s6_addr[12], 1);
	cr_expect_eq(found.addresses[1].s6_addr[15], 5);
	cr_expect(!resolver_read_hosts(hosts, "x", &found));
}

/* A hello as clients say it, with the name at its end. */
static size_t hello(uint8_t *to, const char *server)
{
	struct message names = { .size = 0 }, body = { .size = 0 }, all = { .size = 0 };
	static const uint8_t random[32];
	size_t length = strlen(server);
	number(&names, (unsigned)length + 3);
	bytes(&names, "", 1);
	number(&names, (unsigned)length);
	bytes(&names, server, length);
	number(&body, 0x0303);
	bytes(&body, random, 32);
	bytes(&body, "", 1);
	number(&body, 2);
	number(&body, 0x1301);
	bytes(&body, "\1\0", 2);
	number(&body, (unsigned)names.size + 4 + 4);
	number(&body, 23);
	number(&body, 0);
	number(&body, 0);
	number(&body, (unsigned)names.size);
	bytes(&body, names.data, names.size);
	bytes(&all, "\x16\3\1", 3);
	number(&all, (unsigned)body.size + 4);
	bytes(&all, "\1\0", 2);
	number(&all, (unsigned)body.size);
	bytes(&all, body.data, body.size);
	memcpy(to, all.data, all.size);
	return all.size;
}

Test(tls, names_that_are_asked_for)
{
	uint8_t data[1024];
	char name_asked[TLS_NAME_SIZE];
	size_t size = hello(data, "other.example.org");
	cr_assert_eq(tls_name_read(data, size, name_asked), 0);
	cr_expect_str_eq(name_asked, "other.example.org");
	for (size_t cut = 0; cut < size; cut++)
		cr_expect_eq(tls_name_read(data, cut, name_asked), -EAGAIN, "%zu", cut);
	cr_expect_eq(tls_name_read((const uint8_t *)"GET / HTTP/1.1", 14, name_asked), -EINVAL);
}
