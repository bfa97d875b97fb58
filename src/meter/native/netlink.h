// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7): one request at a time, over a socket of the network namespace that it was opened in.
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A message in the making: a header of `type`, what `body` holds, attributes after it.
struct request {
	struct nlmsghdr header;
	char room[1024];
};

int netlink_open(void);
void request_begin(struct request *request, int type, int flags, const void *body, size_t size);
void request_add(struct request *request, int type, const void *value, size_t size);
// For what has a header of its own within a nest.
void request_add_body(struct request *request, const void *body, size_t size);
void request_text(struct request *request, int type, const char *text);
void request_number(struct request *request, int type, uint32_t number);
// Attributes added until the end are inside of it.
struct rtattr *request_nest(struct request *request, int type);
void request_end(struct request *request, struct rtattr *nest);

// 0, or -1 with the kernel's errno.
int netlink_ask(int socket, struct request *request);
// Calls back with each message of a dump; 0, or -1 with errno.
int netlink_dump(int socket, struct request *request, void (*each)(const struct nlmsghdr *, void *), void *context);
// The attribute of this type among `size` bytes of them; null where there is none.
const struct rtattr *attribute(const struct rtattr *first, int size, int type);
