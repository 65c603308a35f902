/* SPDX-License-Identifier: MIT */
#include "names.h"

#include "units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint16_t usual_ports[] = { 80, 443 };

void names_finish(struct names *names)
{
	free(names->rules);
	*names = (struct names){ 0 };
}

int names_copy(struct names *to, const struct names *from)
{
	*to = (struct names){ .last_id = from->last_id };
	if (from->count == 0)
		return 0;
	to->rules = malloc(from->count * sizeof(*to->rules));
	if (!to->rules) {
		*to = (struct names){ 0 };
		return -ENOMEM;
	}
	memcpy(to->rules, from->rules, from->count * sizeof(*to->rules));
	to->count = from->count;
	return 0;
}

/* Names */

static bool is_of_name(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
	       byte == '_';
}

/* Labels of 1 to 63 bytes: RFC 1035. An underscore is in names of some services. */
bool names_tidy(const char *name, char out[static NAMES_NAME_MAX + 1])
{
	size_t length = 0, label = 0;
	for (; *name; name++) {
		char byte = *name >= 'A' && *name <= 'Z' ? (char)(*name + 32) : *name;
		if (byte == '.' && label > 0 && name[1] == '\0')
			break;
		if (length == NAMES_NAME_MAX)
			return false;
		if (byte == '.' ? label == 0 : !is_of_name(byte) || label == 63)
			return false;
		label = byte == '.' ? 0 : label + 1;
		out[length++] = byte;
	}
	out[length] = '\0';
	return length > 0;
}

static bool is_below(const char *name, const char *domain)
{
	size_t length = strlen(name), least = strlen(domain);
	return length > least + 1 && name[length - least - 1] == '.' &&
	       strcmp(name + length - least, domain) == 0;
}

static bool is_same_host(const struct names_rule *a, const struct names_rule *b)
{
	return a->kind == b->kind && strcmp(a->host, b->host) == 0;
}

static bool matches(const struct names_rule *rule, const char *name)
{
	switch (rule->kind) {
	case NAMES_EXACT:
		return strcmp(rule->host, name) == 0;
	case NAMES_BELOW:
		return is_below(name, rule->host);
	case NAMES_EVERY:
		return true;
	case NAMES_ADDRESS:
		break;
	}
	return false;
}

/* Whether each host of `rule` is one of `by`. Of addresses only a `deny` has all. */
static bool covers_host(const struct names_rule *by, const struct names_rule *rule)
{
	if (by->kind == NAMES_EVERY)
		return rule->kind != NAMES_ADDRESS || by->deny;
	if (is_same_host(by, rule))
		return true;
	return by->kind == NAMES_BELOW &&
	       (rule->kind == NAMES_EXACT || rule->kind == NAMES_BELOW) &&
	       is_below(rule->host, by->host);
}

static bool has_port(const struct names_rule *rule, uint16_t port)
{
	for (unsigned i = 0; i < rule->port_count; i++)
		if (rule->ports[i] == port)
			return true;
	return false;
}

/* Lines */

static bool parse_ports(const char *list, struct names_rule *rule)
{
	rule->port_count = 0;
	for (;;) {
		char word[8];
		uint64_t port;
		size_t length = strcspn(list, ",");
		if (length == 0 || length >= sizeof(word) || rule->port_count == NAMES_PORTS_MAX)
			return false;
		memcpy(word, list, length);
		word[length] = '\0';
		if (units_parse_count(word, 1, 65535, &port) < 0)
			return false;
		if (!has_port(rule, (uint16_t)port))
			rule->ports[rule->port_count++] = (uint16_t)port;
		if (!list[length])
			return true;
		list += length + 1;
	}
}

static void map(const struct in_addr *from, struct in6_addr *to)
{
	*to = (struct in6_addr){ 0 };
	to->s6_addr[10] = to->s6_addr[11] = 0xff;
	memcpy(&to->s6_addr[12], from, sizeof(*from));
}

/* A host that is all digits and dots is an address, or nothing. */
static bool parse_host(const char *host, bool bracketed, struct names_rule *rule)
{
	struct in_addr v4;
	char name[NAMES_NAME_MAX + 1];
	if (bracketed || strchr(host, ':')) {
		rule->kind = NAMES_ADDRESS;
		if (inet_pton(AF_INET6, host, &rule->address) != 1 ||
		    IN6_IS_ADDR_V4MAPPED(&rule->address))
			return false;
		inet_ntop(AF_INET6, &rule->address, rule->host, sizeof(rule->host));
		return true;
	}
	if (host[strspn(host, "0123456789.")] == '\0') {
		rule->kind = NAMES_ADDRESS;
		if (inet_pton(AF_INET, host, &v4) != 1)
			return false;
		map(&v4, &rule->address);
		inet_ntop(AF_INET, &v4, rule->host, sizeof(rule->host));
		return true;
	}
	if (strcmp(host, "*") == 0) {
		rule->kind = NAMES_EVERY;
		strcpy(rule->host, "*");
		return true;
	}
	bool below = strncmp(host, "*.", 2) == 0;
	rule->kind = below ? NAMES_BELOW : NAMES_EXACT;
	if (!names_tidy(host + (below ? 2 : 0), name))
		return false;
	strcpy(rule->host, name);
	return true;
}

/* [ADDRESS]:PORTS, or HOST:PORTS; an address of IPv6 without ports may stand without brackets. */
static const char *parse(bool deny, const char *value, struct names_rule *rule)
{
	char host[NAMES_NAME_MAX + 8];
	bool bracketed = *value == '[';
	const char *from = value + bracketed;
	const char *first = strchr(value, ':');
	bool bare = !bracketed && first && strchr(first + 1, ':');
	size_t length = bracketed ? strcspn(from, "]") : bare ? strlen(from) : strcspn(from, ":");
	const char *ports = from + length;
	if (length == 0 || length >= sizeof(host) || (bracketed && *ports++ != ']'))
		return "not a name, *.NAME, * or an address";
	memcpy(host, from, length);
	host[length] = '\0';
	*rule = (struct names_rule){ .deny = deny };
	if (!parse_host(host, bracketed, rule))
		return "not a name, *.NAME, * or an address";
	if (*ports && deny)
		return "deny takes no ports";
	if (*ports && (*ports != ':' || !parse_ports(ports + 1, rule)))
		return "ports are 1 to 65535, 16 at most";
	if (!*ports && !deny) {
		memcpy(rule->ports, usual_ports, sizeof(usual_ports));
		rule->port_count = sizeof(usual_ports) / sizeof(*usual_ports);
	}
	return NULL;
}

static void drop(struct names *names, size_t at)
{
	names->count--;
	memmove(&names->rules[at], &names->rules[at + 1],
		(names->count - at) * sizeof(*names->rules));
}

static int append(struct names *names, const struct names_rule *rule, const char **why)
{
	if (names->count == NAMES_RULES_MAX + names->more) {
		*why = "that is one line too many";
		return -E2BIG;
	}
	struct names_rule *rules = realloc(names->rules, (names->count + 1) * sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	names->rules = rules;
	rules[names->count] = *rule;
	rules[names->count++].id = ++names->last_id;
	return 0;
}

static int add(struct names *names, const struct names_rule *rule, const char **why)
{
	for (size_t i = 0; i < names->count; i++) {
		struct names_rule *at = &names->rules[i];
		if (at->deny != rule->deny || !is_same_host(at, rule))
			continue;
		memcpy(at->ports, rule->ports, sizeof(at->ports));
		at->port_count = rule->port_count;
		return 0;
	}
	return append(names, rule, why);
}

int names_add(struct names *names, bool deny, const char *value, const char **why)
{
	struct names_rule rule;
	*why = parse(deny, value, &rule);
	return *why ? -EINVAL : add(names, &rule, why);
}

int names_change(struct names *names, bool deny, const char *value, const char **why)
{
	struct names_rule rule;
	*why = parse(deny, value, &rule);
	if (*why)
		return -EINVAL;
	/* First of all what goes, so that there is room. */
	for (size_t i = names->count; i-- > 0;) {
		const struct names_rule *at = &names->rules[i];
		if (at->deny == deny)
			continue;
		if (deny ? covers_host(&rule, at)
			 : is_same_host(&rule, at) || at->kind == NAMES_EVERY)
			drop(names, i);
	}
	return add(names, &rule, why);
}

void names_print_rule(const struct names_rule *rule, FILE *to)
{
	bool brackets = rule->kind == NAMES_ADDRESS && strchr(rule->host, ':');
	fprintf(to, "%s%s%s%s", rule->kind == NAMES_BELOW ? "*." : "", brackets ? "[" : "",
		rule->host, brackets ? "]" : "");
	for (unsigned i = 0; i < rule->port_count; i++)
		fprintf(to, "%c%u", i ? ',' : ':', rule->ports[i]);
}

/* Decisions */

const struct names_rule *names_find(const struct names *names, const char *name)
{
	const struct names_rule *found = NULL;
	for (size_t i = 0; i < names->count; i++) {
		const struct names_rule *rule = &names->rules[i];
		if (!matches(rule, name))
			continue;
		if (rule->deny)
			return rule;
		found = found ? found : rule;
	}
	return found;
}

const struct names_rule *names_find_port(const struct names *names, const char *name, uint16_t port)
{
	const struct names_rule *found = NULL;
	for (size_t i = 0; i < names->count; i++) {
		const struct names_rule *rule = &names->rules[i];
		if (!matches(rule, name))
			continue;
		if (rule->deny)
			return NULL;
		if (!found && has_port(rule, port))
			found = rule;
	}
	return found;
}

const struct names_rule *names_find_address(const struct names *names,
					    const struct in6_addr *address, uint16_t port)
{
	const struct names_rule *found = NULL;
	for (size_t i = 0; i < names->count; i++) {
		const struct names_rule *rule = &names->rules[i];
		bool same = rule->kind == NAMES_ADDRESS &&
			    memcmp(&rule->address, address, sizeof(*address)) == 0;
		if (rule->deny && (same || rule->kind == NAMES_EVERY))
			return NULL;
		if (!found && same && !rule->deny && (port == 0 || has_port(rule, port)))
			found = rule;
	}
	return found;
}

bool names_covers(const struct names *most, const struct names_rule *rule)
{
	for (unsigned p = 0; p < rule->port_count; p++) {
		bool covered = false;
		for (size_t i = 0; i < most->count && !covered; i++)
			covered = !most->rules[i].deny && covers_host(&most->rules[i], rule) &&
				  has_port(&most->rules[i], rule->ports[p]);
		if (!covered)
			return false;
	}
	return true;
}

/* Addresses */

struct range {
	uint8_t bits;
	uint8_t bytes[12]; /* the first of them */
};

/* RFC 6890 and what came after it, without the addresses for documentation, which lead nowhere. */
static const struct range special4[] = {
	{ 8, { 0 } },
	{ 8, { 10 } },
	{ 10, { 100, 64 } },
	{ 8, { 127 } },
	{ 16, { 169, 254 } },
	{ 12, { 172, 16 } },
	{ 24, { 192, 0, 0 } },
	{ 16, { 192, 168 } },
	{ 15, { 198, 18 } },
	{ 4, { 224 } },
	{ 4, { 240 } },
	/* Of the public ones: where some clouds keep metadata and machines' agents. */
	{ 32, { 168, 63, 129, 16 } },
};

static const struct range special6[] = {
	{ 96, { 0 } }, /* ::, ::1, and IPv4-compatible */
	{ 48, { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 } },
	{ 64, { 0x01, 0x00 } },
	{ 23, { 0x20, 0x01, 0x00, 0x00 } }, /* Teredo, benchmarks, ORCHID */
	{ 16, { 0x5f, 0x00 } },
	{ 7, { 0xfc } },
	{ 10, { 0xfe, 0x80 } },
	{ 10, { 0xfe, 0xc0 } },
	{ 8, { 0xff } },
};

static bool is_in(const struct range *range, const uint8_t *bytes)
{
	for (unsigned at = 0; at < range->bits; at += 8) {
		unsigned left = range->bits - at;
		uint8_t mask = left >= 8 ? 0xff : (uint8_t)(0xff << (8 - left));
		if ((bytes[at / 8] ^ range->bytes[at / 8]) & mask)
			return false;
	}
	return true;
}

static bool is_public4(const uint8_t *bytes)
{
	for (size_t i = 0; i < sizeof(special4) / sizeof(*special4); i++)
		if (is_in(&special4[i], bytes))
			return false;
	return true;
}

/* What an address of IPv4 is within counts as that: mapped, 6to4, NAT64. */
bool names_is_public(const struct in6_addr *address)
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	const uint8_t *bytes = address->s6_addr;
	if (IN6_IS_ADDR_V4MAPPED(address) || memcmp(bytes, nat64, sizeof(nat64)) == 0)
		return is_public4(bytes + 12);
	if (bytes[0] == 0x20 && bytes[1] == 0x02)
		return is_public4(bytes + 2);
	for (size_t i = 0; i < sizeof(special6) / sizeof(*special6); i++)
		if (is_in(&special6[i], bytes))
			return false;
	return true;
}
