/* SPDX-License-Identifier: MIT */
#include "dns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	HEADER = 12,
	QUESTION_TAIL = 4, /* type and class */
	RECORD_HEAD = 10,  /* type, class, time, length */
	RECORDS_MAX = 128,
	LINKS_MAX = 12,
	LABEL_MAX = 63,
	DATAGRAM_LEAST = 512,
	CLASS_INET = 1,
	CLASS_ANY = 255,
	LABEL_POINTER = 0xc0,
	OPTION_REASON = 15, /* of EDNS */
};

enum flags {
	IS_ANSWER = 0x8000,
	OPERATION = 0x7800,
	CUT = 0x0200,
	WANTS_RECURSION = 0x0100,
	HAS_RECURSION = 0x0080,
	CODE = 0x000f,
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint8_t *put16(uint8_t *to, unsigned value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	return to + 2;
}

static uint8_t *put32(uint8_t *to, uint32_t value)
{
	return put16(put16(to, value >> 16), value & 0xffff);
}

/* Names */

static char usual_byte(uint8_t byte, bool *usual)
{
	if (byte >= 'A' && byte <= 'Z')
		return (char)(byte + 32);
	if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
	    byte == '_')
		return (char)byte;
	*usual = false;
	return '?';
}

/* Without a link; then it is shorter than its bytes. */
static size_t add_label(const uint8_t *label, size_t length, char *name, size_t used, bool *usual)
{
	if (used)
		name[used++] = '.';
	for (size_t i = 0; i < length; i++)
		name[used++] = usual_byte(label[i], usual);
	return used;
}

/*
 * From `at` on: where the message goes on behind it, or 0 where it is malformed. A link leads to a
 * place before the one where it is read, so there is an end.
 */
static size_t read_name(const uint8_t *message, size_t size, size_t at, bool links,
			char name[static DNS_NAME_SIZE], bool *usual)
{
	size_t used = 0, next = 0, least = at;
	*usual = true;
	for (;;) {
		if (at >= size)
			return 0;
		uint8_t length = message[at];
		if (length == 0)
			break;
		if ((length & LABEL_POINTER) == LABEL_POINTER) {
			if (!links || at + 1 >= size)
				return 0;
			size_t to = get16(message + at) & ~(LABEL_POINTER << 8);
			next = next ? next : at + 2;
			if (to >= least)
				return 0;
			least = at = to;
			continue;
		}
		if (length > LABEL_MAX || at + 1 + length > size ||
		    used + (used > 0) + length > DNS_NAME_SIZE - 3)
			return 0;
		used = add_label(message + at + 1, length, name, used, usual);
		at += 1 + (size_t)length;
	}
	name[used] = '\0';
	*usual &= used > 0;
	return next ? next : at + 1;
}

/* A tidy name, as bytes. Returns the end; NULL where it is none. */
static uint8_t *put_name(const char *name, uint8_t *to)
{
	if (!*name || strlen(name) > DNS_NAME_SIZE - 3)
		return NULL;
	for (;;) {
		size_t length = strcspn(name, ".");
		if (length == 0 || length > LABEL_MAX)
			return NULL;
		*to++ = (uint8_t)length;
		memcpy(to, name, length);
		to += length;
		if (!name[length])
			break;
		name += length + 1;
	}
	*to++ = 0;
	return to;
}

/* Questions of sandboxes */

/* 0 or an enum dns_code; what stands behind the question is of no interest but for EDNS. */
static int read_additions(const uint8_t *message, size_t size, struct dns_question *question)
{
	unsigned count = (unsigned)get16(message + 6) + get16(message + 8) + get16(message + 10);
	size_t at = question->end;
	char name[DNS_NAME_SIZE];
	bool usual;
	for (unsigned i = 0; i < count && i < RECORDS_MAX; i++) {
		at = read_name(message, size, at, true, name, &usual);
		if (at == 0 || at + RECORD_HEAD > size)
			return DNS_FORMAT_ERROR;
		const uint8_t *head = message + at;
		at += RECORD_HEAD + (size_t)get16(head + 8);
		if (at > size)
			return DNS_FORMAT_ERROR;
		if (get16(head) != DNS_OPT)
			continue;
		if (question->edns || *name)
			return DNS_FORMAT_ERROR;
		question->edns = true;
		question->most = get16(head + 2);
		if (head[5] != 0)
			return DNS_BAD_VERSION;
	}
	return DNS_NO_ERROR;
}

int dns_read_question(const uint8_t *message, size_t size, struct dns_question *out)
{
	*out = (struct dns_question){ 0 };
	if (size < HEADER)
		return -EINVAL;
	unsigned flags = get16(message + 2);
	if (flags & IS_ANSWER)
		return -EINVAL;
	if (flags & OPERATION)
		return DNS_NOT_IMPLEMENTED;
	if (get16(message + 4) != 1)
		return DNS_FORMAT_ERROR;
	size_t at = read_name(message, size, HEADER, false, out->name, &out->usual);
	if (at == 0 || at + QUESTION_TAIL > size)
		return DNS_FORMAT_ERROR;
	out->type = get16(message + at);
	out->class = get16(message + at + 2);
	out->end = at + QUESTION_TAIL;
	int code = read_additions(message, size, out);
	if (out->most < DATAGRAM_LEAST)
		out->most = DATAGRAM_LEAST;
	if (code == 0 && out->class != CLASS_INET && out->class != CLASS_ANY)
		return DNS_REFUSED;
	return code;
}

/* Its name is that of the question, to which a link leads. */
static uint8_t *put_record(uint8_t *at, enum dns_type type, uint32_t seconds)
{
	at = put16(at, LABEL_POINTER << 8 | HEADER);
	at = put16(at, type);
	at = put16(at, CLASS_INET);
	return put32(at, seconds);
}

static uint8_t *put_edns(uint8_t *at, const struct dns_answer *answer)
{
	*at++ = 0; /* the root's name */
	at = put16(at, DNS_OPT);
	at = put16(at, DNS_MESSAGE_MAX);
	*at++ = (uint8_t)(answer->code >> 4);
	*at++ = 0;
	at = put16(at, 0);
	at = put16(at, answer->reason ? 6 : 0);
	if (answer->reason) {
		at = put16(at, OPTION_REASON);
		at = put16(at, 2);
		at = put16(at, answer->reason);
	}
	return at;
}

size_t dns_write_answer(const uint8_t *message, const struct dns_question *question,
			const struct dns_answer *answer, uint8_t *to)
{
	unsigned flags = get16(message + 2) & (OPERATION | WANTS_RECURSION);
	bool repeated = question->end > 0, told = repeated && (answer->address || answer->pointer);
	uint8_t *at = to;
	at = put16(at, get16(message));
	at = put16(at, IS_ANSWER | flags | HAS_RECURSION | (answer->code & CODE));
	at = put16(at, repeated);
	at = put16(at, told);
	at = put16(at, 0);
	at = put16(at, question->edns);
	if (repeated) {
		memcpy(at, message + HEADER, question->end - HEADER);
		at += question->end - HEADER;
	}
	if (told && answer->address) {
		at = put_record(at, DNS_A, answer->seconds);
		at = put16(at, sizeof(*answer->address));
		memcpy(at, answer->address, sizeof(*answer->address));
		at += sizeof(*answer->address);
	} else if (told) {
		at = put_record(at, DNS_PTR, answer->seconds);
		uint8_t *end = put_name(answer->pointer, at + 2);
		end = end ? end : at + 2;
		put16(at, (unsigned)(end - at - 2));
		at = end;
	}
	if (question->edns)
		at = put_edns(at, answer);
	return (size_t)(at - to);
}

bool dns_is_reverse(const char *name, struct in_addr *out)
{
	unsigned bytes[4];
	int end = 0;
	if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &bytes[3], &bytes[2], &bytes[1],
		   &bytes[0], &end) != 4 ||
	    end == 0 || name[end])
		return false;
	uint32_t address = 0;
	for (int i = 0; i < 4; i++) {
		if (bytes[i] > 255)
			return false;
		address = address << 8 | bytes[i];
	}
	out->s_addr = htonl(address);
	return true;
}

/* Answers from outside */

size_t dns_write_question(uint16_t id, const char *name, uint16_t type, uint8_t *to)
{
	uint8_t *at = to;
	at = put16(at, id);
	at = put16(at, WANTS_RECURSION);
	at = put16(at, 1);
	at = put16(at, 0);
	at = put16(at, 0);
	at = put16(at, 1);
	at = put_name(name, at);
	if (!at)
		return 0;
	at = put16(at, type);
	at = put16(at, CLASS_INET);
	at = put_edns(at, &(struct dns_answer){ .code = DNS_NO_ERROR });
	return (size_t)(at - to);
}

/* One record: where it goes on, or 0. */
static size_t read_record(const uint8_t *message, size_t size, size_t at,
			  char owner[static DNS_NAME_SIZE], const uint8_t **head)
{
	bool usual;
	at = read_name(message, size, at, true, owner, &usual);
	if (at == 0 || at + RECORD_HEAD > size)
		return 0;
	*head = message + at;
	at += RECORD_HEAD + (size_t)get16(*head + 8);
	return at > size ? 0 : at;
}

static void take_address(const uint8_t *head, uint16_t type, struct dns_addresses *out)
{
	size_t size = get16(head + 8);
	uint32_t seconds = get32(head + 4);
	if (size != (type == DNS_A ? 4 : 16) || out->count == DNS_ADDRESSES_MAX)
		return;
	struct in6_addr *to = &out->addresses[out->count++];
	*to = (struct in6_addr){ 0 };
	if (type == DNS_A)
		to->s6_addr[10] = to->s6_addr[11] = 0xff;
	memcpy(&to->s6_addr[16 - size], head + RECORD_HEAD, size);
	if (seconds < out->seconds)
		out->seconds = seconds;
}

/* All records of `owner`; true where it is a link, to what is put there. 0 or -EINVAL else. */
static int read_answers(const uint8_t *message, size_t size, size_t at, uint16_t type,
			char owner[static DNS_NAME_SIZE], struct dns_addresses *out)
{
	char name[DNS_NAME_SIZE], link[DNS_NAME_SIZE];
	const uint8_t *head = NULL;
	unsigned count = get16(message + 6);
	bool linked = false, usual;
	for (unsigned i = 0; i < count && i < RECORDS_MAX; i++) {
		at = read_record(message, size, at, name, &head);
		if (at == 0)
			return -EINVAL;
		if (strcmp(name, owner) != 0 || get16(head + 2) != CLASS_INET)
			continue;
		if (get16(head) == type)
			take_address(head, type, out);
		size_t place = (size_t)(head + RECORD_HEAD - message);
		if (get16(head) == DNS_CNAME && !linked) {
			if (read_name(message, size, place, true, link, &usual) == 0)
				return -EINVAL;
			linked = true;
			if (get32(head + 4) < out->seconds)
				out->seconds = get32(head + 4);
		}
	}
	if (linked)
		strcpy(owner, link);
	return linked;
}

int dns_read_addresses(const uint8_t *message, size_t size, uint16_t id, const char *name,
		       uint16_t type, struct dns_addresses *out)
{
	char owner[DNS_NAME_SIZE];
	bool usual;
	*out = (struct dns_addresses){ .seconds = UINT32_MAX };
	if (size < HEADER || get16(message) != id || !(get16(message + 2) & IS_ANSWER) ||
	    get16(message + 4) != 1)
		return -EINVAL;
	size_t at = read_name(message, size, HEADER, false, owner, &usual);
	if (at == 0 || at + QUESTION_TAIL > size || strcmp(owner, name) != 0 ||
	    get16(message + at) != type || get16(message + at + 2) != CLASS_INET)
		return -EINVAL;
	at += QUESTION_TAIL;
	out->code = (enum dns_code)(get16(message + 2) & CODE);
	out->cut = get16(message + 2) & CUT;
	if (out->cut || out->code != DNS_NO_ERROR)
		return 0;
	int linked = 1;
	for (unsigned i = 0; linked > 0 && out->count == 0 && i < LINKS_MAX; i++)
		linked = read_answers(message, size, at, type, owner, out);
	if (out->seconds == UINT32_MAX)
		out->seconds = 0;
	return linked < 0 ? linked : 0;
}
