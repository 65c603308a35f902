/* SPDX-License-Identifier: MIT */
#include "network.h"

#include "ceiling.h"
#include "network_relay.h"
#include "session.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ASKS_MAX = 65536, QUESTIONS_MAX = 256 };

static struct names *policy_of(struct mimobox_session *session)
{
	return &session->config.access.names;
}

bool mimobox_session_has_names(const struct mimobox_session *session)
{
	return session->config.access.network == NETWORK_NAMES && !session->config.in;
}

/* What the relay tells */

static void add(struct names_counters *to, const struct names_counters *more)
{
	to->connections += more->connections;
	to->sent += more->sent;
	to->received += more->received;
	to->refused += more->refused;
}

static struct names_counters *counters_of(struct session_network *network, uint32_t id)
{
	struct names *policy = policy_of(network->session);
	for (size_t i = 0; id && i < policy->count; i++)
		if (policy->rules[i].id == id)
			return &policy->rules[i].counters;
	return &network->other;
}

static void take_counts(struct session_network *network, const char *text, size_t size)
{
	struct relay_count count;
	struct stats *stats = &network->session->box->stats;
	for (; size >= sizeof(count); text += sizeof(count), size -= sizeof(count)) {
		memcpy(&count, text, sizeof(count));
		add(counters_of(network, count.id), &count.counters);
		add(&stats->network, &count.counters);
	}
	session_touch(network->session);
}

static void drop_older_asks(struct session_network *network)
{
	size_t cut = network->asks_size / 2;
	while (cut < network->asks_size && network->asks[cut - 1] != '\n')
		cut++;
	memmove(network->asks, network->asks + cut, network->asks_size - cut);
	network->asks_size -= cut;
	network->asks_base += cut;
}

static bool waits(const struct session_network *network, const struct network_question *question)
{
	return question->due > loop_now() &&
	       !names_find(policy_of(network->session), question->name);
}

static void forget_answered(struct session_network *network)
{
	size_t kept = 0;
	for (size_t i = 0; i < network->question_count; i++)
		if (waits(network, &network->questions[i]))
			network->questions[kept++] = network->questions[i];
	network->question_count = kept;
}

static void take_question(struct session_network *network, const char *text)
{
	struct network_question question = { .due = loop_now() + network->session->config.ask_ns };
	size_t size;
	if (!names_tidy(text, question.name))
		return;
	forget_answered(network);
	if (!network->asks)
		network->asks = malloc(ASKS_MAX);
	if (!network->questions)
		network->questions = calloc(QUESTIONS_MAX, sizeof(*network->questions));
	if (!network->asks || !network->questions || network->question_count == QUESTIONS_MAX)
		return;
	size = strlen(question.name);
	if (network->asks_size + size + 1 > ASKS_MAX)
		drop_older_asks(network);
	question.place = network->asks_base + network->asks_size;
	memcpy(network->asks + network->asks_size, question.name, size);
	network->asks_size += size;
	network->asks[network->asks_size++] = '\n';
	network->questions[network->question_count++] = question;
	session_notify(network->session, MIMOBOX_ASKED);
}

static void take_settled(struct session_network *network, uint64_t number)
{
	network->settled = number;
	session_notify(network->session, MIMOBOX_ASKED);
}

void network_hear(struct session_network *network, const struct relay_word *word, char *text)
{
	if (word->verb == RELAY_LOG)
		mimobox_session_log(network->session, "%.*s", RELAY_LINE_MAX + 64, text);
	else if (word->verb == RELAY_COUNTS)
		take_counts(network, text, word->size);
	else if (word->verb == RELAY_ASKS)
		take_question(network, text);
	else if (word->verb == RELAY_SETTLED)
		take_settled(network, word->number);
}

/* asks */

uint64_t mimobox_session_asks_open(struct mimobox_session *session)
{
	struct session_network *network = session->network;
	if (!network)
		return 0;
	forget_answered(network);
	return network->question_count ? network->questions[0].place
				       : network->asks_base + network->asks_size;
}

ssize_t mimobox_session_asks_read(struct mimobox_session *session, uint64_t offset,
				  const char **data)
{
	const struct session_network *network = session->network;
	if (session->state == MIMOBOX_EXITED || session->removed)
		return 0;
	if (!network || offset >= network->asks_base + network->asks_size)
		return -EAGAIN;
	if (offset < network->asks_base)
		return -ESTALE;
	*data = network->asks + (offset - network->asks_base);
	return (ssize_t)(network->asks_size - (offset - network->asks_base));
}

/* network */

static void print_counters(const struct names_counters *counters, FILE *to)
{
	fprintf(to,
		" # connections %" PRIu64 " sent %" PRIu64 " received %" PRIu64 " refused %" PRIu64
		"\n",
		counters->connections, counters->sent, counters->received, counters->refused);
}

void mimobox_session_print_network(const struct mimobox_session *session, FILE *to)
{
	const struct names *policy = &session->config.access.names;
	const struct names *bounds = ceiling_names(&session->share);
	for (int deny = 0; deny < 2; deny++)
		for (size_t i = 0; i < policy->count; i++) {
			const struct names_rule *rule = &policy->rules[i];
			if (rule->deny != (deny == 1))
				continue;
			fputs(deny ? "deny " : "allow ", to);
			names_print_rule(rule, to);
			print_counters(&rule->counters, to);
		}
	for (size_t i = 0; bounds && i < bounds->count; i++)
		if (bounds->rules[i].deny) {
			fputs("# the ceiling: deny ", to);
			names_print_rule(&bounds->rules[i], to);
			fputc('\n', to);
		}
	if (session->network) {
		fputs("# other", to);
		print_counters(&session->network->other, to);
	}
}

/* Of a line without what stands behind `#`: the value, or NULL where it is neither verb. */
static const char *split_line(char *line, bool *deny)
{
	line[strcspn(line, "#")] = '\0';
	line += strspn(line, " \t");
	size_t length = strcspn(line, " \t");
	*deny = length == 4 && strncmp(line, "deny", length) == 0;
	if (!*deny && (length != 5 || strncmp(line, "allow", length) != 0))
		return NULL;
	char *value = line + length;
	value += strspn(value, " \t");
	length = strlen(value);
	while (length > 0 && strchr(" \t\r", value[length - 1]))
		value[--length] = '\0';
	return value;
}

static int refuse(struct mimobox_session *session, int error, const char *value, const char *why)
{
	mimobox_session_log(session, "network refused: '%.100s': %s", value, why);
	return error;
}

/* Routes of addresses are made at the start. */
static bool needs_route(const struct mimobox_session *session, const struct names *policy)
{
	const struct names *now = &session->config.access.names;
	if (session->state == MIMOBOX_CREATED)
		return false;
	for (size_t i = 0; i < policy->count; i++) {
		const struct names_rule *rule = &policy->rules[i];
		if (rule->kind != NAMES_ADDRESS || rule->deny)
			continue;
		size_t at = 0;
		while (at < now->count && strcmp(now->rules[at].host, rule->host) != 0)
			at++;
		if (at == now->count)
			return true;
	}
	return false;
}

static int change(struct mimobox_session *session, bool deny, const char *value)
{
	struct names changed;
	struct reason reason;
	const char *why = NULL;
	if (names_copy(&changed, policy_of(session)) < 0)
		return -ENOMEM;
	int error = names_change(&changed, deny, value, &why);
	if (error < 0 && why)
		refuse(session, error, value, why);
	if (error == 0 && !deny) {
		error = ceiling_judge_names(&session->share, &changed, &reason);
		if (error < 0)
			refuse(session, error, value, reason.text);
	}
	if (error == 0 && needs_route(session, &changed))
		error = refuse(session, -EOPNOTSUPP, value,
			       "an address is allowed in config, before the start");
	if (error < 0) {
		names_finish(&changed);
		return error;
	}
	names_finish(policy_of(session));
	*policy_of(session) = changed;
	return 0;
}

int mimobox_session_change_network(struct mimobox_session *session, const char *line, size_t size)
{
	bool deny;
	char *copy = strndup(line, size);
	if (!copy)
		return -ENOMEM;
	bool empty = copy[strspn(copy, " \t\r")] == '\0' || copy[strspn(copy, " \t")] == '#';
	const char *value = split_line(copy, &deny);
	int error = 0;
	if (!mimobox_session_has_names(session))
		error = refuse(session, -EOPNOTSUPP, copy, "the session has no 'network names'");
	else if (!value && !empty)
		error = refuse(session, -EINVAL, copy, "neither 'allow HOST' nor 'deny HOST'");
	else if (!empty)
		error = change(session, deny, value);
	if (error == 0 && !empty) {
		if (session->state != MIMOBOX_CREATED)
			mimobox_session_log(session, "network: %s %s", deny ? "deny" : "allow",
					    value);
		session->config_changed = true;
		session_touch(session);
		if (session->network)
			network_relay_tell_policy(session->network);
	}
	free(copy);
	return error;
}

bool mimobox_session_network_is_settled(const struct mimobox_session *session)
{
	return !session->network || network_relay_is_settled(session->network);
}

void mimobox_session_reset_network(struct mimobox_session *session)
{
	if (session->network)
		network_relay_reset(session->network);
}

void network_print_status(const struct mimobox_session *session, FILE *to)
{
	struct names_counters sum = { 0 };
	const struct names *policy = &session->config.access.names;
	if (!session->network)
		return;
	sum = session->network->other;
	for (size_t i = 0; i < policy->count; i++)
		add(&sum, &policy->rules[i].counters);
	fprintf(to,
		"network-connections %" PRIu64 "\nnetwork-sent %" PRIu64
		"\nnetwork-received %" PRIu64 "\nnetwork-refused %" PRIu64 "\n",
		sum.connections, sum.sent, sum.received, sum.refused);
}

/* Life */

/* With the descriptors of its sandbox: 0 or -errno. */
int network_keep_ends(const struct mimobox_session *session)
{
	uint32_t parts[INSIDE_ENDS];
	if (session->sandbox.inside[0] < 0)
		return 0;
	for (uint32_t i = 0; i < INSIDE_ENDS; i++)
		parts[i] = SESSION_INSIDE + i;
	return keep_store(session->box->keep, session_keep_sandbox_id(session), parts,
			  session->sandbox.inside, INSIDE_ENDS);
}

static struct session_network *make_network(struct mimobox_session *session)
{
	struct session_network *network = calloc(1, sizeof(*network));
	if (!network)
		return NULL;
	network->session = session;
	for (unsigned i = 0; i < ACCESS_PUBLISHED_MAX; i++)
		network->ports[i].fd = -1;
	return network;
}

void network_open(struct mimobox_session *session)
{
	if (!access_has_relay(&session->config.access) || session->sandbox.inside[0] < 0)
		return;
	if (!session->network)
		session->network = make_network(session);
	if (!session->network) {
		mimobox_session_log(session, "network: %s", strerror(ENOMEM));
		return;
	}
	network_ports_open(session);
	network_relay_attach(session->network);
}

void network_close(struct mimobox_session *session)
{
	if (session->network)
		network_relay_detach(session->network);
	if (session->network)
		network_ports_close(session->network);
}

void network_free(struct mimobox_session *session)
{
	if (!session->network)
		return;
	network_close(session);
	network_relay_forget(session->network);
	free(session->network->questions);
	free(session->network->asks);
	free(session->network);
	session->network = NULL;
}

/* What outlives the server: the lines are in the config. */

void network_keep(struct mimobox_session *session)
{
	struct keep *keep = session->box->keep;
	const struct session_network *network = session->network;
	const struct names *policy = &session->config.access.names;
	struct names_counters counters[NAMES_RULES_MAX];
	size_t count = 0;
	if (!network)
		return;
	struct kept_network kept;
	memset(&kept, 0, sizeof(kept));
	kept = (struct kept_network){
		.generation = network->generation,
		.asks_end = network->asks_base + network->asks_size,
		.other = network->other,
	};
	for (unsigned i = 0; i < network->port_count; i++)
		kept.bound[i] = network->ports[i].bound;
	/* In the order in which config prints them. */
	for (int deny = 0; deny < 2; deny++)
		for (size_t i = 0; i < policy->count; i++)
			if (policy->rules[i].deny == (deny == 1))
				counters[count++] = policy->rules[i].counters;
	keep_put(keep, KEEP_NETWORK, session->id, 0, &kept, sizeof(kept));
	keep_put(keep, KEEP_NETWORK, session->id, 1, counters, count * sizeof(*counters));
}

void network_keep_nothing(const struct mimobox_session *session)
{
	for (uint32_t part = 0; part < 2; part++)
		keep_drop(session->box->keep, KEEP_NETWORK, session->id, part);
}

static void restore_counters(struct mimobox_session *session)
{
	struct names *policy = policy_of(session);
	struct names_counters counters;
	size_t size;
	const char *at = keep_get(session->box->keep, KEEP_NETWORK, session->id, 1, &size);
	if (!at || size != policy->count * sizeof(counters))
		return;
	for (size_t i = 0; i < policy->count; i++) {
		memcpy(&counters, at + i * sizeof(counters), sizeof(counters));
		policy->rules[i].counters = counters;
	}
}

int network_restore(struct mimobox_session *session)
{
	size_t size;
	const struct kept_network *kept =
		keep_get(session->box->keep, KEEP_NETWORK, session->id, 0, &size);
	if (!kept)
		return 0;
	if (size != sizeof(*kept))
		return -EPROTO;
	session->network = make_network(session);
	if (!session->network)
		return -ENOMEM;
	for (unsigned i = 0; i < ACCESS_PUBLISHED_MAX; i++)
		session->network->ports[i].bound = kept->bound[i];
	session->network->generation = kept->generation;
	session->network->asks_base = kept->asks_end;
	session->network->other = kept->other;
	restore_counters(session);
	return 0;
}

void network_take_ends(struct mimobox_session *session)
{
	struct keep *keep = session->box->keep;
	uint64_t id = session_keep_sandbox_id(session);
	for (uint32_t i = 0; i < INSIDE_ENDS; i++)
		session->sandbox.inside[i] = keep_take(keep, id, SESSION_INSIDE + i);
	for (uint32_t i = 0; session->network && i < ACCESS_PUBLISHED_MAX; i++)
		session->network->ports[i].fd = keep_take(keep, id, SESSION_PORT + i);
}
