/* SPDX-License-Identifier: MIT */
#include "tls_name.h"

#include <errno.h>
#include <string.h>

enum { HANDSHAKE = 22, CLIENT_HELLO = 1, RECORD_HEAD = 5, VERSION_AND_RANDOM = 34 };
enum { SERVER_NAME = 0, HOST_NAME = 0 };

struct reader {
	const uint8_t *at;
	size_t left;
	int error;
};

/* So many bytes, or NULL from then on. */
static const uint8_t *take(struct reader *from, size_t size)
{
	if (from->error == 0 && size > from->left)
		from->error = -EAGAIN;
	if (from->error < 0)
		return NULL;
	const uint8_t *at = from->at;
	from->at += size;
	from->left -= size;
	return at;
}

static size_t number(struct reader *from, size_t bytes)
{
	const uint8_t *at = take(from, bytes);
	size_t value = 0;
	for (size_t i = 0; at && i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

/* What has its size, of so many bytes, in front. */
static void skip(struct reader *from, size_t bytes)
{
	take(from, number(from, bytes));
}

static int take_name(struct reader *list, char out[static TLS_NAME_SIZE])
{
	number(list, 2);
	while (list->error == 0 && list->left) {
		size_t kind = number(list, 1), size = number(list, 2);
		const uint8_t *name = take(list, size);
		if (!name || kind != HOST_NAME)
			continue;
		if (size == 0 || size >= TLS_NAME_SIZE || memchr(name, 0, size))
			return -EINVAL;
		memcpy(out, name, size);
		out[size] = '\0';
		return 0;
	}
	return list->error ? list->error : -ENOENT;
}

static int find_name(struct reader *hello, char out[static TLS_NAME_SIZE])
{
	size_t left = number(hello, 2);
	while (hello->error == 0 && left >= 4) {
		size_t kind = number(hello, 2), size = number(hello, 2);
		const uint8_t *data = take(hello, size);
		if (data && kind == SERVER_NAME)
			return take_name(&(struct reader){ data, size, 0 }, out);
		left -= 4 + size < left ? 4 + size : left;
	}
	return hello->error ? hello->error : -ENOENT;
}

/* A hello of more than one record is not put together: such a one is too few bytes. */
int tls_name_read(const uint8_t *data, size_t size, char out[static TLS_NAME_SIZE])
{
	struct reader hello = { data, size, 0 };
	if (size == 0)
		return -EAGAIN;
	if (data[0] != HANDSHAKE)
		return -EINVAL;
	take(&hello, RECORD_HEAD);
	if (hello.error == 0 && hello.left && *hello.at != CLIENT_HELLO)
		return -EINVAL;
	take(&hello, 4 + VERSION_AND_RANDOM);
	skip(&hello, 1); /* the session's number */
	skip(&hello, 2); /* ciphers */
	skip(&hello, 1); /* compressions */
	return hello.error ? hello.error : find_name(&hello, out);
}
