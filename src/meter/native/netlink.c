// SPDX-License-Identifier: Apache-2.0
#include "netlink.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int netlink_open(void)
{
	// The kernel answers at once; a socket that has lost an answer must not wait for ever.
	const struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static void *reserve(struct request *request, size_t size)
{
	void *at = (char *)&request->header + request->header.nlmsg_len;
	request->header.nlmsg_len += NLMSG_ALIGN(size);
	return at;
}

void request_add_body(struct request *request, const void *body, size_t size)
{
	memcpy(reserve(request, size), body, size);
}

void request_begin(struct request *request, int type, int flags, const void *body, size_t size)
{
	memset(request, 0, sizeof *request);
	request->header.nlmsg_len = NLMSG_HDRLEN;
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	request_add_body(request, body, size);
}

void request_add(struct request *request, int type, const void *value, size_t size)
{
	struct rtattr *attr = reserve(request, RTA_LENGTH(size));
	attr->rta_type = type;
	attr->rta_len = RTA_LENGTH(size);
	if (size > 0)
		memcpy(RTA_DATA(attr), value, size);
}

void request_text(struct request *request, int type, const char *text)
{
	request_add(request, type, text, strlen(text) + 1);
}

void request_number(struct request *request, int type, uint32_t number)
{
	request_add(request, type, &number, sizeof number);
}

struct rtattr *request_nest(struct request *request, int type)
{
	struct rtattr *nest = reserve(request, RTA_LENGTH(0));
	nest->rta_type = type;
	return nest;
}

void request_end(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (char *)&request->header + request->header.nlmsg_len - (char *)nest;
}

static int failed(int error)
{
	errno = error;
	return -1;
}

// Reads datagrams until the kernel has ended its answer.
static int receive(int socket, void (*each)(const struct nlmsghdr *, void *), void *context)
{
	static char buffer[65536] __attribute__((aligned(8)));
	for (;;) {
		ssize_t size = recv(socket, buffer, sizeof buffer, 0);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -1;
		for (struct nlmsghdr *message = (void *)buffer; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
			if (message->nlmsg_type == NLMSG_DONE)
				return 0;
			if (message->nlmsg_type == NLMSG_ERROR) {
				int error = -((struct nlmsgerr *)NLMSG_DATA(message))->error;
				return error == 0 ? 0 : failed(error);
			}
			if (each)
				each(message, context);
		}
	}
}

int netlink_ask(int socket, struct request *request)
{
	request->header.nlmsg_flags |= NLM_F_ACK;
	if (send(socket, request, request->header.nlmsg_len, 0) < 0)
		return -1;
	return receive(socket, NULL, NULL);
}

int netlink_dump(int socket, struct request *request, void (*each)(const struct nlmsghdr *, void *), void *context)
{
	request->header.nlmsg_flags |= NLM_F_DUMP;
	if (send(socket, request, request->header.nlmsg_len, 0) < 0)
		return -1;
	return receive(socket, each, context);
}

const struct rtattr *attribute(const struct rtattr *first, int size, int type)
{
	for (const struct rtattr *at = first; RTA_OK(at, size); at = RTA_NEXT(at, size)) {
		if ((at->rta_type & NLA_TYPE_MASK) == type)
			return at;
	}
	return NULL;
}
