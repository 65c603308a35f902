/* SPDX-License-Identifier: MIT */
/*
 * Messages of any bytes: what is read as a question gets answers that can be read; what is read of
 * an answer is within bounds; the same of what TLS begins with, and of the two files of a resolver.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <dns.h>
#include <errno.h>
#include <resolver.h>
#include <tls_name.h>

static void check_answer(const uint8_t *message, const struct dns_question *question,
			 const struct dns_answer *answer)
{
	uint8_t out[DNS_MESSAGE_MAX];
	struct dns_addresses found;
	size_t size = dns_write_answer(message, question, answer, out);
	CHECK(size >= 12 && size <= 512 + 64);
	CHECK(memcmp(out, message, 2) == 0 && (out[2] & 0x80));
	if (!question->end || !question->usual || question->class != 1)
		return;
	uint16_t id = (uint16_t)(message[0] << 8 | message[1]);
	CHECK(dns_read_addresses(out, size, id, question->name, question->type, &found) == 0);
	if (answer->address && question->type == DNS_A)
		CHECK(found.count == 1 && found.seconds == answer->seconds);
}

static void check_question(const uint8_t *data, size_t size)
{
	struct dns_question question;
	struct in_addr address = { .s_addr = htonl(0xc6120001) };
	int code = dns_read_question(data, size, &question);
	CHECK(code >= -EINVAL && code != -1);
	if (code < 0)
		return;
	CHECK(question.end <= size && strlen(question.name) < DNS_NAME_SIZE);
	check_answer(data, &question, &(struct dns_answer){ .code = (enum dns_code)code });
	check_answer(data, &question,
		     &(struct dns_answer){ .code = DNS_NO_NAME, .reason = DNS_BLOCKED });
	if (code)
		return;
	check_answer(data, &question, &(struct dns_answer){ .address = &address, .seconds = 60 });
	check_answer(data, &question,
		     &(struct dns_answer){ .pointer = "a.example.org", .seconds = 60 });
	(void)dns_is_reverse(question.name, &address);
}

static void check_found(const uint8_t *data, size_t size)
{
	struct dns_addresses found;
	struct dns_question question;
	uint8_t copy[4096];
	if (size < 12 || size > sizeof(copy))
		return;
	memcpy(copy, data, size);
	copy[2] &= 0x7f; /* the name, as of a question */
	copy[2] &= 0x87;
	if (dns_read_question(copy, size, &question) < 0 || !question.end)
		return;
	copy[2] |= 0x80;
	uint16_t id = (uint16_t)(copy[0] << 8 | copy[1]);
	if (dns_read_addresses(copy, size, id, question.name, question.type, &found) == 0)
		CHECK(found.count <= DNS_ADDRESSES_MAX);
}

static void check_files(const uint8_t *data, size_t size)
{
	struct resolver_config config;
	struct dns_addresses found;
	char *text = strndup((const char *)data, size);
	CHECK(text);
	resolver_read_config(text, &config);
	CHECK(config.count >= 1 && config.count <= RESOLVER_SERVERS_MAX && config.seconds >= 1);
	if (resolver_read_hosts(text, "a.org", &found))
		CHECK(found.count >= 1 && found.count <= DNS_ADDRESSES_MAX);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[TLS_NAME_SIZE];
	check_question(data, size);
	check_found(data, size);
	if (tls_name_read(data, size, name) == 0)
		CHECK(name[0] && strlen(name) < TLS_NAME_SIZE);
	check_files(data, size);
	return 0;
}
