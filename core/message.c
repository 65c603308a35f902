/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* What is received; what is sent may be more. */
union attachments {
	struct cmsghdr header;
	char room[CMSG_SPACE(MESSAGE_DESCRIPTORS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

int message_send(int socket, const void *data, size_t size, const int *descriptors, unsigned count,
		 int flags)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(MESSAGE_SENT_MAX * sizeof(int))];
	} attachments;
	struct iovec part = { (void *)data, size };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	assert(count <= MESSAGE_SENT_MAX);
	if (count) {
		memset(&attachments, 0, sizeof(attachments));
		header.msg_control = attachments.room;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *attached = CMSG_FIRSTHDR(&header);
		attached->cmsg_level = SOL_SOCKET;
		attached->cmsg_type = SCM_RIGHTS;
		attached->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(attached), descriptors, count * sizeof(int));
	}
	return sendmsg(socket, &header, MSG_NOSIGNAL | flags) < 0 ? -errno : 0;
}

static void take(const struct cmsghdr *attached, int descriptors[MESSAGE_DESCRIPTORS],
		 pid_t *sender)
{
	size_t size = attached->cmsg_len - CMSG_LEN(0);
	struct ucred credentials;
	if (attached->cmsg_level != SOL_SOCKET)
		return;
	if (attached->cmsg_type == SCM_RIGHTS && size <= MESSAGE_DESCRIPTORS * sizeof(int))
		memcpy(descriptors, CMSG_DATA(attached), size);
	if (attached->cmsg_type == SCM_CREDENTIALS && sender) {
		memcpy(&credentials, CMSG_DATA(attached), sizeof(credentials));
		*sender = credentials.pid;
	}
}

ssize_t message_receive(int socket, void *data, size_t size, int descriptors[MESSAGE_DESCRIPTORS],
			pid_t *sender, int flags)
{
	union attachments attachments;
	struct iovec part = { data, size };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = attachments.room,
				 .msg_controllen = sizeof(attachments.room) };
	for (int i = 0; i < MESSAGE_DESCRIPTORS; i++)
		descriptors[i] = -1;
	if (sender)
		*sender = 0;
	ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
	if (got < 0)
		return -errno;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at))
		take(at, descriptors, sender);
	return got;
}
