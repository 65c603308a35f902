/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include "message.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* So much of the ring is worth giving back. */
enum { TIDY_BYTES = 8192 };

/* In the server */

void ring_resume(struct ring_view *ring, uint64_t taken)
{
	ring->taken = taken;
	(void)ring_took(ring, 0);
}

int ring_look(const struct ring_view *ring, size_t *size)
{
	uint64_t there = atomic_load(&ring->shared->written) - ring->taken;
	if (there > RING_SIZE)
		return -EPROTO;
	*size = (size_t)there;
	return 0;
}

void ring_copy(const struct ring_view *ring, char *to, size_t size)
{
	size_t from = ring->taken % RING_SIZE, whole = RING_SIZE - from;
	size_t first = size < whole ? size : whole;
	memcpy(to, ring->data + from, first);
	memcpy(to + first, ring->data, size - first);
}

bool ring_took(struct ring_view *ring, size_t size)
{
	ring->taken += size;
	atomic_store(&ring->shared->taken, ring->taken);
	return size && atomic_exchange(&ring->shared->full, 0);
}

bool ring_await(const struct ring_view *ring, size_t size)
{
	atomic_store(&ring->shared->ring_at, ring->taken + size);
	return atomic_load(&ring->shared->written) - ring->taken < size;
}

bool ring_is_untidy(const struct ring_view *ring)
{
	return atomic_load(&ring->shared->untidy);
}

bool ring_has_ended(const struct ring_view *ring)
{
	return atomic_load(&ring->shared->ended) &&
	       atomic_load(&ring->shared->written) == ring->taken;
}

/* In init */

static size_t room_of(const struct source *source)
{
	uint64_t there =
		atomic_load(&source->shared->written) - atomic_load(&source->shared->taken);
	return there < RING_SIZE ? RING_SIZE - (size_t)there : 0;
}

size_t ring_room(const struct source *source)
{
	size_t room = room_of(source);
	if (room)
		return room;
	atomic_store(&source->shared->full, 1);
	return room_of(source);
}

static bool has_to_ring(struct ring_shared *shared, uint64_t written)
{
	uint64_t at = atomic_load(&shared->ring_at);
	return written >= at && atomic_compare_exchange_strong(&shared->ring_at, &at, UINT64_MAX);
}

enum ring_state ring_fill(struct source *source, bool *rings)
{
	struct ring_shared *shared = source->shared;
	size_t room = ring_room(source);
	if (room == 0)
		return RING_FULL;
	uint64_t written = atomic_load(&shared->written);
	size_t whole = RING_SIZE - written % RING_SIZE;
	ssize_t count =
		read(source->fd, source->data + written % RING_SIZE, room < whole ? room : whole);
	if (count < 0 && errno == EINTR)
		return RING_MORE;
	if (count < 0 && (errno == EAGAIN || message_may_pass(-errno)))
		return RING_EMPTY;
	if (count <= 0)
		return RING_ENDED;
	written += (uint64_t)count;
	source->used += (size_t)count;
	if (source->used >= TIDY_BYTES)
		atomic_store(&shared->untidy, 1);
	atomic_store(&shared->written, written);
	*rings |= has_to_ring(shared, written);
	return RING_MORE;
}

void ring_end(struct source *source)
{
	source->fd = -1;
	atomic_store(&source->shared->ended, 1);
}

/* The server reads nothing of it meanwhile. */
void ring_tidy(struct source *source)
{
	if (room_of(source) != RING_SIZE)
		return;
	madvise(source->data, RING_SIZE, MADV_REMOVE);
	source->used = 0;
	atomic_store(&source->shared->untidy, 0);
}
