/* SPDX-License-Identifier: MIT */
/*
 * A lookup is two queries, for the addresses of each kind. A query asks one server after another,
 * by a datagram from a socket of its own, whose port and number an attacker would have to guess,
 * and by TCP where the answer was cut.
 */
#include "resolver.h"

#include "loop.h"
#include "names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 8 << 20, DNS_PORT = 53, ANSWER_MAX = 4096, PREFIX = 2 };
enum { SECONDS = 2, SECONDS_MAX = 10, ATTEMPTS = 2, ATTEMPTS_MAX = 5, HOSTS_SECONDS = 5 };

struct kept_file {
	int fd;
	char *text; /* ends with a zero */
	struct timespec changed;
	off_t size;
};

struct resolver {
	struct loop *loop;
	struct kept_file config_file, hosts;
	struct resolver_config config;
};

struct query {
	struct lookup *lookup;
	uint16_t type, id;
	bool done, tcp;
	unsigned tries;
	int fd;
	struct loop_source *source;
	struct loop_timer timer;
	size_t sent, got; /* by TCP */
	uint8_t question[PREFIX + DNS_MESSAGE_MAX];
	size_t question_size;
	uint8_t answer[PREFIX + ANSWER_MAX];
	struct dns_addresses found;
};

struct lookup {
	struct resolver *resolver;
	char name[NAMES_NAME_MAX + 1];
	resolver_fn fn;
	void *data;
	struct query queries[2];
	struct dns_addresses hosts; /* what is known at once */
	struct loop_timer soon;
};

/* Files */

static void read_file(struct kept_file *file)
{
	struct stat status;
	if (file->fd < 0 || fstat(file->fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_size > FILE_MAX)
		return;
	if (file->text && status.st_size == file->size &&
	    memcmp(&status.st_mtim, &file->changed, sizeof(file->changed)) == 0)
		return;
	char *text = malloc((size_t)status.st_size + 1);
	ssize_t size = text ? pread(file->fd, text, (size_t)status.st_size, 0) : -1;
	if (size < 0) {
		free(text);
		return;
	}
	text[size] = '\0';
	free(file->text);
	file->text = text;
	file->size = status.st_size;
	file->changed = status.st_mtim;
}

static void replace_file(struct kept_file *file, int fd)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->text);
	*file = (struct kept_file){ .fd = fd };
	read_file(file);
}

static void read_files(struct resolver *resolver)
{
	read_file(&resolver->config_file);
	read_file(&resolver->hosts);
	resolver_read_config(resolver->config_file.text ? resolver->config_file.text : "",
			     &resolver->config);
}

static bool is_replaced(const struct kept_file *file)
{
	struct stat status;
	return file->fd < 0 || (fstat(file->fd, &status) == 0 && status.st_nlink == 0);
}

static bool read_address(const char *text, struct in6_addr *out)
{
	struct in_addr v4;
	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = (struct in6_addr){ .s6_addr = { [10] = 0xff, 0xff } };
		memcpy(&out->s6_addr[12], &v4, sizeof(v4));
		return true;
	}
	return inet_pton(AF_INET6, text, out) == 1;
}

static unsigned read_number(const char *word, const char *option, unsigned otherwise, unsigned most)
{
	size_t length = strlen(option);
	if (strncmp(word, option, length) != 0)
		return otherwise;
	unsigned long number = strtoul(word + length, NULL, 10);
	return number < 1 ? 1 : number > most ? most : (unsigned)number;
}

/* The next word of a line, or NULL; *at goes on behind it. */
static const char *next_word(const char **at, char *word, size_t size)
{
	*at += strspn(*at, " \t\r");
	size_t length = strcspn(*at, " \t\r\n#;");
	if (length == 0)
		return NULL;
	size_t kept = length < size ? length : size - 1;
	memcpy(word, *at, kept);
	word[kept] = '\0';
	*at += length;
	return word;
}

static const char *next_line(const char *at)
{
	at += strcspn(at, "\n");
	return *at ? at + 1 : at;
}

void resolver_read_config(const char *text, struct resolver_config *out)
{
	char word[128];
	*out = (struct resolver_config){ .seconds = SECONDS, .attempts = ATTEMPTS };
	for (; *text; text = next_line(text)) {
		const char *at = text;
		if (!next_word(&at, word, sizeof(word)))
			continue;
		bool server = strcmp(word, "nameserver") == 0;
		if (server && out->count < RESOLVER_SERVERS_MAX &&
		    next_word(&at, word, sizeof(word)) &&
		    read_address(word, &out->servers[out->count]))
			out->count++;
		if (server || strcmp(word, "options") != 0)
			continue;
		while (next_word(&at, word, sizeof(word))) {
			out->seconds = read_number(word, "timeout:", out->seconds, SECONDS_MAX);
			out->attempts = read_number(word, "attempts:", out->attempts, ATTEMPTS_MAX);
		}
	}
	if (out->count == 0)
		read_address("127.0.0.1", &out->servers[out->count++]);
}

bool resolver_read_hosts(const char *text, const char *name, struct dns_addresses *out)
{
	char word[NAMES_NAME_MAX + 2], tidy[NAMES_NAME_MAX + 1];
	*out = (struct dns_addresses){ .seconds = HOSTS_SECONDS };
	for (; *text; text = next_line(text)) {
		struct in6_addr address;
		const char *at = text;
		if (!next_word(&at, word, sizeof(word)) || !read_address(word, &address))
			continue;
		bool named = false;
		while (!named && next_word(&at, word, sizeof(word)))
			named = names_tidy(word, tidy) && strcmp(tidy, name) == 0;
		if (named && out->count < DNS_ADDRESSES_MAX)
			out->addresses[out->count++] = address;
	}
	return out->count > 0;
}

int resolver_create(struct loop *loop, struct resolver **out)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	if (!resolver)
		return -ENOMEM;
	*resolver = (struct resolver){ .loop = loop, .config_file.fd = -1, .hosts.fd = -1 };
	read_files(resolver);
	*out = resolver;
	return 0;
}

void resolver_take_files(struct resolver *resolver, int config, int hosts)
{
	replace_file(&resolver->config_file, config);
	replace_file(&resolver->hosts, hosts);
	read_files(resolver);
}

bool resolver_is_stale(const struct resolver *resolver)
{
	return is_replaced(&resolver->config_file) || is_replaced(&resolver->hosts);
}

/* Queries */

static void close_socket(struct query *query)
{
	loop_remove(query->source);
	query->source = NULL;
	if (query->fd >= 0)
		close(query->fd);
	query->fd = -1;
}

static void free_lookup(struct lookup *lookup)
{
	for (int i = 0; i < 2; i++) {
		close_socket(&lookup->queries[i]);
		loop_timer_disarm(&lookup->queries[i].timer);
	}
	loop_timer_disarm(&lookup->soon);
	free(lookup);
}

void resolver_drop(struct lookup *lookup)
{
	if (lookup)
		free_lookup(lookup);
}

/* One of each kind in turn: where one kind leads nowhere, the other is not far. */
static void merge(const struct dns_addresses *a, const struct dns_addresses *b,
		  struct dns_addresses *out)
{
	*out = (struct dns_addresses){ .seconds = UINT32_MAX };
	for (unsigned i = 0; i < a->count || i < b->count; i++) {
		if (i < a->count && out->count < DNS_ADDRESSES_MAX)
			out->addresses[out->count++] = a->addresses[i];
		if (i < b->count && out->count < DNS_ADDRESSES_MAX)
			out->addresses[out->count++] = b->addresses[i];
	}
	if (a->count)
		out->seconds = a->seconds;
	if (b->count && b->seconds < out->seconds)
		out->seconds = b->seconds;
	if (out->count)
		return;
	out->seconds = 0;
	if (a->code == DNS_NO_NAME || b->code == DNS_NO_NAME)
		out->code = DNS_NO_NAME;
	else if (a->code != DNS_NO_ERROR || b->code != DNS_NO_ERROR)
		out->code = DNS_SERVER_FAILURE;
}

static void complete(struct lookup *lookup, const struct dns_addresses *found)
{
	resolver_fn fn = lookup->fn;
	void *data = lookup->data;
	struct dns_addresses copy = *found;
	free_lookup(lookup);
	fn(data, &copy);
}

static void finish_query(struct query *query)
{
	struct lookup *lookup = query->lookup;
	struct dns_addresses found;
	close_socket(query);
	loop_timer_disarm(&query->timer);
	query->done = true;
	if (!lookup->queries[0].done || !lookup->queries[1].done)
		return;
	merge(&lookup->queries[0].found, &lookup->queries[1].found, &found);
	complete(lookup, &found);
}

static void try_next(struct query *query);

/* The answer, or something else that is left alone. */
static void take_answer(struct query *query, const uint8_t *message, size_t size)
{
	const struct resolver_config *config = &query->lookup->resolver->config;
	struct dns_addresses found;
	if (dns_read_addresses(message, size, query->id, query->lookup->name, query->type, &found) <
	    0)
		return;
	if (found.cut && !query->tcp) {
		query->tcp = true;
		query->tries--; /* the same server */
		try_next(query);
		return;
	}
	query->found = found;
	bool failed = found.cut || (found.code != DNS_NO_ERROR && found.code != DNS_NO_NAME);
	if (failed && query->tries < config->count) {
		try_next(query);
		return;
	}
	if (found.cut)
		query->found.code = DNS_SERVER_FAILURE;
	finish_query(query);
}

static void on_datagram(struct query *query)
{
	ssize_t size = recv(query->fd, query->answer, ANSWER_MAX, MSG_DONTWAIT);
	if (size >= 0)
		take_answer(query, query->answer, (size_t)size);
	else if (errno != EAGAIN && errno != EINTR)
		try_next(query); /* there is no server: ICMP says so */
}

static void on_stream(struct query *query)
{
	if (query->sent < query->question_size + PREFIX) {
		ssize_t sent = send(query->fd, query->question + query->sent,
				    query->question_size + PREFIX - query->sent,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
			try_next(query);
			return;
		}
		query->sent += sent > 0 ? (size_t)sent : 0;
		if (query->sent == query->question_size + PREFIX)
			loop_modify(query->source, EPOLLIN);
	}
	ssize_t got = recv(query->fd, query->answer + query->got,
			   sizeof(query->answer) - query->got, MSG_DONTWAIT);
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN)) {
		try_next(query);
		return;
	}
	query->got += got > 0 ? (size_t)got : 0;
	size_t whole = query->got < PREFIX
			       ? 0
			       : PREFIX + ((size_t)query->answer[0] << 8 | query->answer[1]);
	if (query->got < PREFIX || (query->got < whole && query->got < sizeof(query->answer)))
		return;
	take_answer(query, query->answer + PREFIX, query->got - PREFIX);
}

static void on_answer(void *data, uint32_t events)
{
	(void)events;
	struct query *query = data;
	if (query->tcp)
		on_stream(query);
	else
		on_datagram(query);
}

static int open_socket(struct query *query, const struct in6_addr *server)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(DNS_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT) };
	bool mapped = IN6_IS_ADDR_V4MAPPED(server);
	memcpy(&v4.sin_addr, &server->s6_addr[12], sizeof(v4.sin_addr));
	v6.sin6_addr = *server;
	const struct sockaddr *place = mapped ? (void *)&v4 : (void *)&v6;
	query->fd =
		socket(mapped ? AF_INET : AF_INET6,
		       (query->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (query->fd < 0)
		return -errno;
	if (connect(query->fd, place, mapped ? sizeof(v4) : sizeof(v6)) < 0 && errno != EINPROGRESS)
		return -errno;
	if (!query->tcp && send(query->fd, query->question + PREFIX, query->question_size, 0) < 0)
		return -errno;
	return loop_add(query->lookup->resolver->loop, query->fd,
			query->tcp ? EPOLLIN | EPOLLOUT : EPOLLIN, on_answer, query,
			&query->source);
}

static int begin_try(struct query *query)
{
	const struct resolver_config *config = &query->lookup->resolver->config;
	if (getrandom(&query->id, sizeof(query->id), 0) != sizeof(query->id))
		return -EIO;
	query->question_size = dns_write_question(query->id, query->lookup->name, query->type,
						  query->question + PREFIX);
	if (query->question_size == 0)
		return -EINVAL;
	query->question[0] = (uint8_t)(query->question_size >> 8);
	query->question[1] = (uint8_t)query->question_size;
	query->sent = query->got = 0;
	int error = open_socket(query, &config->servers[query->tries % config->count]);
	if (error < 0)
		return error;
	return loop_timer_arm(&query->timer, config->seconds * UINT64_C(1000000000));
}

static void try_next(struct query *query)
{
	const struct resolver_config *config = &query->lookup->resolver->config;
	for (; query->tries < config->count * config->attempts; query->tries++) {
		close_socket(query);
		if (begin_try(query) == 0) {
			query->tries++;
			return;
		}
	}
	query->found.code = DNS_SERVER_FAILURE;
	finish_query(query);
}

static void on_time(void *data)
{
	struct query *query = data;
	query->tcp = false;
	try_next(query);
}

/* From the loop, so that the caller has the lookup before it is called back. */
static void on_soon(void *data)
{
	struct lookup *lookup = data;
	if (lookup->hosts.count) {
		complete(lookup, &lookup->hosts);
		return;
	}
	/* The second may be the last, with which the lookup goes. */
	try_next(&lookup->queries[1]);
	if (!lookup->queries[0].done)
		try_next(&lookup->queries[0]);
}

struct lookup *resolver_ask(struct resolver *resolver, const char *name, resolver_fn fn, void *data)
{
	static const uint16_t types[2] = { DNS_AAAA, DNS_A };
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return NULL;
	read_files(resolver);
	*lookup = (struct lookup){ .resolver = resolver, .fn = fn, .data = data };
	memcpy(lookup->name, name, strlen(name) + 1);
	for (int i = 0; i < 2; i++) {
		struct query *query = &lookup->queries[i];
		query->lookup = lookup;
		query->type = types[i];
		query->fd = -1;
		loop_timer_init(&query->timer, resolver->loop, on_time, query);
	}
	if (resolver->hosts.text)
		resolver_read_hosts(resolver->hosts.text, name, &lookup->hosts);
	loop_timer_init(&lookup->soon, resolver->loop, on_soon, lookup);
	if (loop_timer_arm(&lookup->soon, 0) < 0) {
		free(lookup);
		return NULL;
	}
	return lookup;
}
