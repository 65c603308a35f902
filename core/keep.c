/* SPDX-License-Identifier: MIT */
/*
 * A log, in memory that all processes of the keeper's have at one address. A record that is put is
 * written behind its end; a commit is one store, of where the end is now. The newest record of a
 * key counts. When most of it is of the past, what counts is copied to the other of two regions,
 * and one more store says which is read from now on.
 *
 * A process is killed between two instructions, and its stores are in order: nothing here has to
 * be made safe against a machine that stops.
 */
#include "keep_arena.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FIRST_SLOTS = 1024, SLOTS_OF_ONE = 64, SLACK = 256 << 10, REMOVE_FROM = 512 << 10 };

static size_t length_of(size_t size)
{
	return sizeof(struct keep_entry) + ((size + 7) & ~(size_t)7);
}

static struct keep_entry *record_at(const struct keep *keep, uint64_t offset)
{
	return (struct keep_entry *)(keep->regions[keep->active] + offset);
}

/* The index */

static size_t hash(uint32_t kind, uint64_t id, uint32_t part)
{
	uint64_t mixed = (id * UINT64_C(0x9e3779b97f4a7c15)) ^ ((uint64_t)kind << 32 | part);
	mixed *= UINT64_C(0xff51afd7ed558ccd);
	return (size_t)(mixed ^ mixed >> 32);
}

/* Where it is, or where it is to be put. */
static struct keep_slot *find(const struct keep *keep, uint32_t kind, uint64_t id, uint32_t part)
{
	for (size_t at = hash(kind, id, part);; at++) {
		struct keep_slot *slot = &keep->slots[at & (keep->slot_count - 1)];
		if (slot->kind == 0 || (slot->kind == kind && slot->id == id && slot->part == part))
			return slot;
	}
}

static int make_slots(struct keep *keep, size_t count)
{
	struct keep_slot *old = keep->slots;
	size_t old_count = keep->slot_count;
	struct keep_slot *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	keep->slots = slots;
	keep->slot_count = count;
	keep->slots_used = 0;
	for (size_t i = 0; i < old_count; i++)
		if (old[i].kind && old[i].offset) {
			*find(keep, old[i].kind, old[i].id, old[i].part) = old[i];
			keep->slots_used++;
		}
	free(old);
	return 0;
}

/* Half of them are free at the least; where memory is short, so many more may be in use. */
static bool has_slots(struct keep *keep, size_t more)
{
	size_t used = keep->slots_used + more;
	return 2 * used <= keep->slot_count ||
	       make_slots(keep, keep->slot_count * (4 * keep->live > keep->slot_count ? 2 : 1)) ==
		       0 ||
	       used < keep->slot_count / 4 * 3;
}

int keep_reserve(struct keep *keep)
{
	return !keep || has_slots(keep, SLOTS_OF_ONE) ? 0 : -ENOMEM;
}

static void note(struct keep *keep, uint64_t offset)
{
	const struct keep_entry *record = record_at(keep, offset);
	if (!has_slots(keep, 1) && keep->slots_used + 1 >= keep->slot_count)
		abort(); /* with a keeper, that is no more than to begin anew */
	struct keep_slot *slot = find(keep, record->kind, record->id, record->part);
	if (slot->kind == 0) {
		*slot = (struct keep_slot){ record->id, 0, record->kind, record->part };
		keep->slots_used++;
	}
	if (slot->offset) {
		keep->live--;
		keep->live_bytes -= length_of(record_at(keep, slot->offset)->size);
	}
	slot->offset = record->dropped ? 0 : offset;
	if (slot->offset) {
		keep->live++;
		keep->live_bytes += length_of(record->size);
	}
}

/* Records */

static void add(struct keep *keep, enum keep_kind kind, uint64_t id, uint32_t part,
		const void *data, size_t size, bool dropped)
{
	if (keep->next + length_of(size) > keep->region_size)
		abort();
	struct keep_entry *record = record_at(keep, keep->next);
	*record = (struct keep_entry){ kind, part, id, (uint32_t)size, dropped };
	if (size)
		memcpy(record->data, data, size);
	note(keep, keep->next);
	keep->next += length_of(size);
}

const void *keep_get(const struct keep *keep, enum keep_kind kind, uint64_t id, uint32_t part,
		     size_t *size)
{
	if (!keep)
		return NULL;
	const struct keep_slot *slot = find(keep, kind, id, part);
	if (slot->kind == 0 || slot->offset == 0)
		return NULL;
	const struct keep_entry *record = record_at(keep, slot->offset);
	if (size)
		*size = record->size;
	return record->data;
}

void keep_put(struct keep *keep, enum keep_kind kind, uint64_t id, uint32_t part, const void *data,
	      size_t size)
{
	size_t before;
	const void *is = keep_get(keep, kind, id, part, &before);
	if (keep && !(is && before == size && (size == 0 || memcmp(is, data, size) == 0)))
		add(keep, kind, id, part, data, size, false);
}

void keep_drop(struct keep *keep, enum keep_kind kind, uint64_t id, uint32_t part)
{
	if (keep_get(keep, kind, id, part, NULL))
		add(keep, kind, id, part, NULL, 0, true);
}

/* Of a region, what lies between these offsets. */
static void give_back_behind(const struct keep *keep, uint32_t region, uint64_t from, uint64_t to)
{
	uint64_t start = (uint64_t)(keep->regions[region] - (char *)keep->head);
	keep_give_back(keep, start + from, start + ((to + 4095) & ~UINT64_C(4095)));
}

/* The index grows with the records, and had so many once. */
static void shrink_slots(struct keep *keep)
{
	size_t count = FIRST_SLOTS;
	while (count < 4 * (keep->live + SLOTS_OF_ONE))
		count *= 2;
	if (count <= keep->slot_count / 4)
		(void)make_slots(keep, count);
}

static void compact(struct keep *keep)
{
	struct keep_head *head = keep->head;
	uint32_t other = 1 - keep->active;
	char *to = keep->regions[other];
	uint64_t next = KEEP_LOG_START;
	for (size_t i = 0; i < keep->slot_count; i++) {
		struct keep_slot *slot = &keep->slots[i];
		if (!slot->kind || !slot->offset)
			continue;
		size_t length = length_of(record_at(keep, slot->offset)->size);
		memcpy(to + next, record_at(keep, slot->offset), length);
		slot->offset = next;
		next += length;
	}
	atomic_store_explicit(&head->tail[other], next, memory_order_release);
	atomic_store_explicit(&head->active, other, memory_order_release);
	give_back_behind(keep, keep->active, REMOVE_FROM, keep->next);
	keep->active = other;
	keep->next = next;
	shrink_slots(keep);
}

void keep_commit(struct keep *keep)
{
	if (!keep)
		return;
	struct keep_head *head = keep->head;
	if (keep->next != atomic_load_explicit(&head->tail[keep->active], memory_order_relaxed))
		atomic_store_explicit(&head->tail[keep->active], keep->next, memory_order_release);
	keep_blocks_commit(keep);
	keep_releases_commit(keep);
	if (keep->next > SLACK + 3 * keep->live_bytes || keep->next > keep->region_size / 2)
		compact(keep);
}

static int by_id(const void *a, const void *b)
{
	const struct keep_record *one = a, *other = b;
	if (one->id != other->id)
		return one->id < other->id ? -1 : 1;
	return one->part < other->part ? -1 : one->part > other->part;
}

int keep_list(const struct keep *keep, enum keep_kind kind, struct keep_record **out, size_t *count)
{
	*out = NULL;
	*count = 0;
	if (!keep || keep->live == 0)
		return 0;
	struct keep_record *all = calloc(keep->live, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < keep->slot_count; i++) {
		const struct keep_slot *slot = &keep->slots[i];
		if (slot->kind != kind || !slot->offset)
			continue;
		const struct keep_entry *record = record_at(keep, slot->offset);
		all[(*count)++] = (struct keep_record){ record->id, record->part, record->data,
							record->size };
	}
	qsort(all, *count, sizeof(*all), by_id);
	*out = all;
	return 0;
}

/* The whole */

/* A file, so that it outlives what the keeper was (keep_pass.c). Memory is what is written to. */
static int make_memory(struct keep *keep)
{
	struct rlimit most;
	if (getrlimit(RLIMIT_FSIZE, &most) < 0)
		return -errno;
	keep->memory = memfd_create("mimobox-keep", MFD_CLOEXEC);
	if (keep->memory < 0)
		return -errno;
	int error = -EFBIG;
	/* As much of addresses as there is to be had; beyond the limit there would be a signal. */
	for (size_t size = (size_t)1 << 36; size >= (size_t)1 << 28; size /= 2) {
		if (size > most.rlim_cur)
			continue;
		error = ftruncate(keep->memory, (off_t)size) < 0 ? -errno : keep_map(keep, size);
		if (error == 0)
			break;
	}
	return error;
}

int keep_map(struct keep *keep, size_t size)
{
	char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			  keep->memory, 0);
	if (base == MAP_FAILED)
		return -errno;
	keep->head = (struct keep_head *)base;
	keep->size = size;
	keep->region_size = size / 8;
	keep->regions[0] = base + size / 8;
	keep->regions[1] = base + size / 4;
	keep->blocks_start = keep->blocks_end = size / 2;
	return 0;
}

struct keep *keep_new(void)
{
	struct keep *keep = calloc(1, sizeof(*keep));
	if (!keep)
		return NULL;
	keep->owner = getpid();
	keep->memory = keep->socket = -1;
	return keep;
}

static int make(struct keep *keep)
{
	int error = keep_store_begin(keep);
	if (error == 0)
		error = make_memory(keep);
	if (error < 0)
		return error;
	keep->head->version = KEEP_VERSION;
	atomic_store(&keep->head->tail[0], KEEP_LOG_START);
	atomic_store(&keep->head->tail[1], KEEP_LOG_START);
	return 0;
}

int keep_create(struct keep **out)
{
	struct keep *keep = keep_new();
	int error = keep ? make(keep) : -ENOMEM;
	if (error < 0)
		keep_destroy(keep);
	else
		*out = keep;
	return error;
}

static void forget_memory(struct keep *keep)
{
	if (keep->memory >= 0)
		close(keep->memory);
	keep->memory = -1;
}

void keep_destroy(struct keep *keep)
{
	if (!keep)
		return;
	if (keep->head)
		munmap(keep->head, keep->size);
	forget_memory(keep);
	keep_store_finish(keep);
	free(keep->freed);
	free(keep->releases);
	for (int i = 0; i < KEEP_CLASSES; i++)
		free(keep->free[i].places);
	free(keep->claimed);
	free(keep->slots);
	if (keep->socket >= 0)
		close(keep->socket);
	free(keep);
}

/* Whether the next record is, whoever has written it. */
static bool is_within(const struct keep *keep, uint64_t end)
{
	return end <= keep->region_size && end - keep->next >= sizeof(struct keep_entry) &&
	       end - keep->next >= length_of(record_at(keep, keep->next)->size);
}

/* What another has written and not committed, or was about to copy. */
static void give_back_rest(struct keep *keep)
{
	give_back_behind(keep, keep->active, (keep->next + 4095) & ~UINT64_C(4095),
			 keep->region_size);
	give_back_behind(keep, 1 - keep->active, REMOVE_FROM, keep->region_size);
}

int keep_enter(struct keep *keep, int socket, bool again)
{
	keep->socket = socket;
	keep->again = keep->claiming = again;
	/* What this process forks has nothing of anybody's in its memory. */
	if (madvise(keep->head, keep->size, MADV_DONTFORK) < 0)
		return -errno;
	forget_memory(keep);
	keep->active = atomic_load(&keep->head->active);
	keep->next = KEEP_LOG_START;
	if (keep->active > 1)
		return -EINVAL;
	int error = make_slots(keep, FIRST_SLOTS);
	uint64_t end = atomic_load(&keep->head->tail[keep->active]);
	while (error == 0 && keep->next < end) {
		error = is_within(keep, end) ? 0 : -EINVAL;
		if (error < 0)
			break;
		note(keep, keep->next);
		keep->next += length_of(record_at(keep, keep->next)->size);
	}
	if (error == 0 && again)
		give_back_rest(keep);
	return error;
}

bool keep_again(const struct keep *keep)
{
	return keep && keep->again;
}

pid_t keep_owner(const struct keep *keep)
{
	return keep ? keep->owner : getpid();
}

void keep_set_name(struct keep *keep, const char *name)
{
	snprintf(keep->name, sizeof(keep->name), "%s", name);
}

const char *keep_name(const struct keep *keep)
{
	return keep ? keep->name : "";
}

volatile struct keep_work *keep_work(struct keep *keep)
{
	return keep ? &keep->head->work : NULL;
}

void keep_making(struct keep *keep, const char *path)
{
	if (keep && strlen(path) < sizeof(keep->head->making))
		strcpy(keep->head->making, path);
}

const char *keep_made(const struct keep *keep)
{
	return keep ? keep->head->making : "";
}

/* Requests */

void keep_request_begin(struct keep *keep, uint64_t unique, size_t before, size_t after)
{
	if (keep)
		keep->request = (struct keep_now){ unique, before, after };
}

void keep_request_end(struct keep *keep)
{
	if (keep)
		keep->request.unique = 0;
}

uint64_t keep_request_key(const struct keep *keep)
{
	/* The kernel's numbers are even; a request has less than 2^20 lines. */
	return keep && keep->request.unique ? keep->request.unique << 20 | keep->request.before : 0;
}

static void tell(struct keep *keep, const struct keep_request *request)
{
	if (keep && keep->request.unique)
		keep_put(keep, KEEP_REQUEST, keep->request.unique, 0, request, sizeof(*request));
}

void keep_request_done(struct keep *keep)
{
	if (keep)
		tell(keep, &(struct keep_request){ .result = (int64_t)keep->request.after });
}

void keep_request_starts(struct keep *keep)
{
	if (keep)
		tell(keep, &(struct keep_request){ .result = (int64_t)keep->request.before,
						   .starting = 1 });
}

void keep_request_says(struct keep *keep)
{
	if (keep)
		tell(keep,
		     &(struct keep_request){ .result = (int64_t)keep->request.before, .says = 1 });
}

bool keep_request_said(const struct keep *keep)
{
	const struct keep_request *is =
		keep && keep->request.unique
			? keep_get(keep, KEEP_REQUEST, keep->request.unique, 0, NULL)
			: NULL;
	return is && is->says && is->result == (int64_t)keep->request.before;
}

void keep_request_took(struct keep *keep, ssize_t count)
{
	tell(keep, &(struct keep_request){ .result = count, .final = 1 });
}
