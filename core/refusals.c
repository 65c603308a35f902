/* SPDX-License-Identifier: MIT */
#include "refusals.h"

#include "sysfilter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Others have a turn after so many. */
enum { ANSWERS = 8 };

/* Newer than some headers (Linux 5.19): no signal takes a call back that init has taken. */
#define WAIT_KILLABLE (UINT32_C(1) << 5)

static bool is_told(const struct sock_filter *at)
{
	uint32_t error = at->k & SECCOMP_RET_DATA;
	return at->code == (BPF_RET | BPF_K) &&
	       (at->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && error != 0 &&
	       error != ENOSYS;
}

int refusals_load(const struct sysfilter *filter, int *listener)
{
	static struct sock_filter telling[BPF_MAXINSNS];
	const struct sock_fprog program = { .len = filter->length, .filter = telling };
	const unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	for (unsigned i = 0; i < filter->length; i++) {
		telling[i] = filter->code[i];
		if (is_told(&telling[i]))
			telling[i].k = SECCOMP_RET_USER_NOTIF;
	}
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | WAIT_KILLABLE, &program);
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	*listener = (int)fd;
	if (fd >= 0)
		return 0;
	*listener = -1;
	return errno == EBUSY || errno == EINVAL ? sysfilter_load(filter) : -errno;
}

static bool is_known(const struct refusals_shared *shared, const struct refusal *refusal)
{
	for (uint32_t i = 0; i < shared->count; i++) {
		const struct refusal *one = &shared->list[i];
		/* The families of sockets are kinds of their own. */
		if (one->number == refusal->number && one->error == refusal->error &&
		    (refusal->number != SYS_socket || one->arguments[0] == refusal->arguments[0]))
			return true;
	}
	return false;
}

static bool note(struct refusals_shared *shared, const struct seccomp_data *call, int error)
{
	struct refusal refusal = { .number = call->nr, .error = error };
	uint32_t count = shared->count;
	memcpy(refusal.arguments, call->args, sizeof(refusal.arguments));
	if (count == REFUSALS_MAX || is_known(shared, &refusal))
		return false;
	shared->list[count] = refusal;
	atomic_store(&shared->count, count + 1);
	return true;
}

static int error_of(uint32_t answer)
{
	bool refused = (answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
	return refused ? (int)(answer & SECCOMP_RET_DATA) : EPERM;
}

/* One that is there: without that, the kernel would wait for one. */
static bool answer_one(struct refusals *refusals)
{
	/* The kernel's structures may be longer than those of the headers. */
	union {
		struct seccomp_notif call;
		char room[512];
	} in = { .room = "" };
	union {
		struct seccomp_notif_resp answer;
		char room[512];
	} out = { .room = "" };
	if (ioctl(refusals->listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
		return false; /* it was killed, or had a signal */
	uint32_t action = sysfilter_answer(refusals->filter, &in.call.data);
	bool news = false;
	int result;
	if ((action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF) {
		result = broker_do(&refusals->broker, refusals->listener, &in.call);
	} else {
		int error = error_of(action);
		news = note(refusals->shared, &in.call.data, error);
		result = -error;
	}
	out.answer.id = in.call.id;
	out.answer.error = result < 0 ? result : 0;
	out.answer.flags = result == BROKER_GO_ON ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
	if (result != BROKER_ANSWERED)
		(void)ioctl(refusals->listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
	return news;
}

bool refusals_answer(struct refusals *refusals)
{
	struct pollfd calls = { .fd = refusals->listener, .events = POLLIN };
	bool news = false;
	for (int i = 0; i < ANSWERS && poll(&calls, 1, 0) > 0; i++) {
		if (calls.revents & POLLIN) {
			news |= answer_one(refusals);
			continue;
		}
		/* No process is under the filter any more. */
		close(refusals->listener);
		refusals->listener = -1;
		break;
	}
	return news;
}
