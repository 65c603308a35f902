/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include "fake.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/uio.h>

struct wire wire;
struct call calls[CALLS];

static uint8_t request[sizeof(struct fuse_in_header) + (130 << 10)];
static size_t request_size; /* 0: none is to be read */
static uint64_t last_unique;
static bool fresh; /* the round of the loop has not had a request yet */
static uint8_t reply[PAYLOAD + 64];
static uint64_t raw_unique, interrupts[CALLS]; /* that may be answered, or not */
static uint64_t interrupted[CALLS];            /* what those are of */
static unsigned interrupt_count;
static bool raw_open;

void wire_reset(void)
{
	for (int i = 0; i < CALLS; i++)
		free(calls[i].data);
	memset(calls, 0, sizeof(calls));
	request_size = 0;
	last_unique = 0;
	interrupt_count = 0;
	raw_open = false;
	fresh = true;
	wire.ended = false;
}

/* Requests */

static void put_header(uint32_t opcode, uint64_t node, uint32_t uid, size_t size)
{
	const struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.opcode = opcode,
		.unique = last_unique += 2,
		.nodeid = node,
		.uid = uid,
		.gid = uid,
		.pid = 4321,
	};
	CHECK(request_size == 0 && sizeof(header) + size <= sizeof(request));
	memcpy(request, &header, sizeof(header));
	request_size = sizeof(header) + size;
}

static struct call *free_call(void)
{
	for (int i = 0; i < CALLS; i++)
		if (!calls[i].used)
			return &calls[i];
	return NULL;
}

struct call *wire_send(uint32_t opcode, uint64_t node, uint32_t uid, const void *head,
		       size_t head_size, const void *tail, size_t tail_size)
{
	struct call *call = free_call();
	if (!call)
		return NULL;
	put_header(opcode, node, uid, head_size + tail_size);
	if (head_size)
		memcpy(request + sizeof(struct fuse_in_header), head, head_size);
	if (tail_size)
		memcpy(request + sizeof(struct fuse_in_header) + head_size, tail, tail_size);
	*call = (struct call){ .used = true,
			       .unique = last_unique,
			       .opcode = opcode,
			       .node = node,
			       .uid = uid,
			       .sent = fake_now() };
	for (unsigned i = 0; i < interrupt_count; i++)
		call->interrupted |= interrupted[i] == call->unique;
	return call;
}

void wire_send_raw(uint32_t opcode, uint64_t node, const void *data, size_t size)
{
	put_header(opcode, node, 0, size);
	if (size)
		memcpy(request + sizeof(struct fuse_in_header), data, size);
	raw_unique = last_unique;
	raw_open = true;
}

void wire_send_init(void)
{
	const struct fuse_init_in init = { .major = 7,
					   .minor = 38,
					   .max_readahead = 131072,
					   .flags = 0x7fffffff & ~FUSE_INIT_EXT };
	struct call *call = wire_send(FUSE_INIT, 0, 0, &init, sizeof(init), NULL, 0);
	CHECK(call);
}

unsigned wire_interrupts(void)
{
	return interrupt_count;
}

uint64_t wire_next_unique(void)
{
	return last_unique + 2;
}

void wire_interrupt(uint64_t unique)
{
	const struct fuse_interrupt_in in = { .unique = unique };
	if (interrupt_count == CALLS)
		return;
	put_header(FUSE_INTERRUPT, 0, 0, sizeof(in));
	memcpy(request + sizeof(struct fuse_in_header), &in, sizeof(in));
	interrupted[interrupt_count] = unique;
	interrupts[interrupt_count++] = last_unique;
}

/* One a round, and none while there is anything else to do. */
static ssize_t give(int fd, void *buffer, size_t size, void *userdata)
{
	(void)fd, (void)userdata;
	bool again = !fresh || fake_was_busy(*wire.source) || wire.busy();
	fresh = true;
	if (again) {
		errno = EAGAIN;
		return -1;
	}
	wire.idle();
	if (wire.ended) {
		errno = ENODEV;
		return -1;
	}
	if (request_size == 0) {
		errno = EAGAIN;
		return -1;
	}
	CHECK(size >= request_size + 4096);
	memcpy(buffer, request, request_size);
	/* What is cut short ends in what the kernel would not have let pass: nothing. */
	memset((char *)buffer + request_size, 0, 4096);
	ssize_t given = (ssize_t)request_size;
	request_size = 0;
	fresh = false;
	return given;
}

/* Answers */

void wire_check_attributes(const struct fuse_attr *attributes, uint64_t node)
{
	CHECK(attributes->ino == node);
	CHECK(S_ISREG(attributes->mode) || S_ISDIR(attributes->mode) || S_ISLNK(attributes->mode));
	CHECK((attributes->mode & ~(uint32_t)(S_IFMT | 01777)) == 0);
	CHECK(attributes->size < UINT64_C(1) << 40);
	CHECK(attributes->nlink < 1000 && attributes->blksize == 4096);
	CHECK(attributes->blocks == (attributes->size + 511) / 512);
	CHECK(attributes->mtimensec < 1000000000 && attributes->ctimensec < 1000000000);
}

static void check_entry(const struct fuse_entry_out *entry)
{
	CHECK(entry->nodeid != 0 && entry->nodeid != FUSE_ROOT_ID);
	CHECK(entry->entry_valid_nsec < 1000000000 && entry->attr_valid_nsec < 1000000000);
	wire_check_attributes(&entry->attr, entry->nodeid);
	CHECK(entry->attr.nlink > 0);
}

/* The size of a payload is that of its kind. */
static void check_payload(const struct call *call)
{
	size_t size = call->payload_size;
	switch (call->opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKDIR:
		CHECK(size == sizeof(struct fuse_entry_out));
		check_entry((const void *)call->payload);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		CHECK(size == sizeof(struct fuse_attr_out));
		wire_check_attributes(&((const struct fuse_attr_out *)call->payload)->attr,
				      call->node);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		CHECK(size == sizeof(struct fuse_open_out));
		break;
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		CHECK(size <= call->size);
		break;
	case FUSE_WRITE:
		CHECK(size == sizeof(struct fuse_write_out));
		CHECK(((const struct fuse_write_out *)call->payload)->size <= call->size);
		break;
	case FUSE_STATFS:
		CHECK(size == sizeof(struct fuse_statfs_out));
		break;
	case FUSE_POLL:
		CHECK(size == sizeof(struct fuse_poll_out));
		break;
	case FUSE_READLINK:
		CHECK(size > 0 && size < 4096);
		break;
	case FUSE_INIT:
		CHECK(size >= FUSE_COMPAT_22_INIT_OUT_SIZE);
		break;
	default:
		CHECK(size == 0);
	}
}

static void notified(const struct fuse_out_header *header, size_t size)
{
	CHECK(header->error == FUSE_NOTIFY_POLL);
	CHECK(size == sizeof(struct fuse_notify_poll_wakeup_out));
	const struct fuse_notify_poll_wakeup_out *out =
		(const void *)(reply + sizeof(struct fuse_out_header));
	wire.polled(out->kh);
}

static void check_loose(uint64_t unique, int32_t error)
{
	if (raw_open && unique == raw_unique) {
		raw_open = false;
		return;
	}
	/* An interrupt that finds nothing is to be sent again. */
	for (unsigned i = 0; i < interrupt_count; i++)
		if (interrupts[i] == unique) {
			CHECK(error == -EAGAIN);
			interrupts[i] = interrupts[--interrupt_count];
			interrupted[i] = interrupted[interrupt_count];
			return;
		}
	CHECK(!"an answer to what was asked, once");
}

static void take(size_t size)
{
	const struct fuse_out_header *header = (const void *)reply;
	CHECK(size >= sizeof(*header) && header->len == size);
	size -= sizeof(*header);
	if (header->unique == 0) {
		notified(header, size);
		return;
	}
	CHECK(header->error <= 0 && header->error > -512);
	CHECK(header->error == 0 || size == 0);
	for (int i = 0; i < CALLS; i++) {
		struct call *call = &calls[i];
		if (!call->used || call->unique != header->unique)
			continue;
		call->answered = true;
		call->error = header->error;
		call->payload = reply + sizeof(*header);
		call->payload_size = size;
		if (call->error == 0)
			check_payload(call);
		if (call->opcode != FUSE_INIT)
			wire.answered(call);
		free(call->data);
		*call = (struct call){ 0 };
		return;
	}
	check_loose(header->unique, header->error);
}

static ssize_t receive(int fd, struct iovec *parts, int count, void *userdata)
{
	(void)fd, (void)userdata;
	size_t size = 0;
	for (int i = 0; i < count; i++) {
		CHECK(size + parts[i].iov_len <= sizeof(reply));
		if (parts[i].iov_len)
			memcpy(reply + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	take(size);
	return (ssize_t)size;
}

void wire_check_end(void)
{
	for (int i = 0; i < CALLS; i++)
		CHECK(!calls[i].used);
}

const struct fuse_custom_io wire_io = { .read = give, .writev = receive };
