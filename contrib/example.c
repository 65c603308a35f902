/* SPDX-License-Identifier: MIT */
/*
 * Sessions from C, without a mount: runs a shell command in a sandboxed session, passes on what
 * it prints as it comes, and ends with its exit status (128 and the signal's number, as a shell
 * has it, where a signal ended it).
 *
 *     example 'uname -a; exit 3'
 *
 * Everything happens in mimobox_dispatch(): the notification only copies what there is to read.
 */
#include <errno.h>
#include <mimobox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct example {
	struct mimobox_reader *reader;
	uint64_t offset;
	bool ended;
};

static void on_event(struct mimobox_session *session, unsigned events, void *data)
{
	struct example *example = data;
	char buffer[65536];
	ssize_t count;

	(void)session;
	while (example->reader &&
	       (count = mimobox_reader_read(example->reader, buffer, sizeof(buffer),
					    example->offset)) > 0) {
		fwrite(buffer, 1, (size_t)count, stdout);
		example->offset += (uint64_t)count;
	}
	fflush(stdout);
	if (events & MIMOBOX_ENDED)
		example->ended = true;
}

static char *join(char **words, int count)
{
	size_t size = sizeof("command \n");
	char *line;

	for (int i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	line = malloc(size);
	if (!line)
		return NULL;
	strcpy(line, "command");
	for (int i = 0; i < count; i++) {
		strcat(line, " ");
		strcat(line, words[i]);
	}
	return strcat(line, "\n");
}

/* Configures, starts, and dispatches to the end. 0 or a negative errno. */
static int run(struct mimobox *box, struct mimobox_session *session, struct example *example,
	       const char *config)
{
	ssize_t taken = mimobox_session_configure(session, config, strlen(config));
	int result;

	if (taken < 0)
		return (int)taken;
	result = mimobox_reader_open(session, MIMOBOX_STDOUT, &example->reader);
	if (result < 0)
		return result;
	result = mimobox_session_start(session);
	while (result == 0 || result == -EINPROGRESS) {
		if (example->ended)
			return 0;
		result = mimobox_dispatch(box, -1);
		if (result == 0)
			result = mimobox_session_start_result(session);
	}
	return result;
}

int main(int argc, char **argv)
{
	struct example example = { 0 };
	struct mimobox_options options = { .notify = on_event, .data = &example };
	struct mimobox_session *session = NULL;
	struct mimobox *box = NULL;
	char why[256] = "", *config;
	int result, status = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND...\n", argv[0]);
		return 2;
	}
	config = join(argv + 1, argc - 1);
	result = config ? mimobox_create(&options, &box, why, sizeof(why)) : -ENOMEM;
	if (result == 0)
		result = mimobox_session_create(box, "example", getuid(), getgid(), &session);
	if (result == 0)
		result = run(box, session, &example, config);
	if (result == 0)
		result = mimobox_session_exit(session, &status);
	if (result < 0) {
		fprintf(stderr, "%s: %s %s\n", argv[0], strerror(-result), why);
		if (session)
			mimobox_session_print_log(session, stderr);
	}
	if (example.reader)
		mimobox_reader_close(example.reader);
	example.reader = NULL; /* mimobox_destroy() still tells of events */
	if (session)
		mimobox_session_unref(session);
	if (box)
		mimobox_destroy(box);
	free(config);
	if (result < 0)
		return 1;
	return status < 0 ? 128 - status : status;
}
