// SPDX-License-Identifier: Apache-2.0
// Kernels before 6.6 keep a filter until somebody deletes it. So a second process, which does nothing else, waits for
// the end of the first one and clears up after it; and the first ends, and clears up, when the second is gone.
#include "hooks.h"
#include "guard.h"
#include "netlink.h"
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "dom0-director"
#define HANDLE 0xd0d
// Where there is no filter yet; else ours goes before the first, since that one may end a packet's way.
#define PRIORITY 0xd0d

static const uint32_t PARENTS[] = {
	TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
	TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
};

static int connection(void)
{
	static int fd = -1;
	if (fd < 0)
		fd = netlink_open();
	return fd;
}

static int change_qdisc(int type, int flags, int index)
{
	const struct tcmsg body = {
		.tcm_ifindex = index,
		.tcm_parent = TC_H_CLSACT,
		.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
	};
	struct request request;
	request_begin(&request, type, flags, &body, sizeof body);
	request_text(&request, TCA_KIND, "clsact");
	return netlink_ask(connection(), &request);
}

// Filters of one parent: how many, the lowest priority, and those of ours.
struct listing {
	int others;
	uint32_t lowest;
	size_t count;
	struct tcmsg ours[8];
};

static bool is_ours(const struct nlmsghdr *message)
{
	const struct tcmsg *body = NLMSG_DATA(message);
	int size = message->nlmsg_len - NLMSG_LENGTH(sizeof *body);
	const struct rtattr *first = (const void *)((const char *)body + NLMSG_ALIGN(sizeof *body));
	const struct rtattr *kind = attribute(first, size, TCA_KIND);
	const struct rtattr *options = attribute(first, size, TCA_OPTIONS);
	if (!kind || !options || strcmp(RTA_DATA(kind), "bpf") != 0)
		return false;
	const struct rtattr *name = attribute(RTA_DATA(options), RTA_PAYLOAD(options), TCA_BPF_NAME);
	return name && strcmp(RTA_DATA(name), NAME) == 0;
}

static void list_filter(const struct nlmsghdr *message, void *context)
{
	struct listing *listing = context;
	const struct tcmsg *body = NLMSG_DATA(message);
	if (message->nlmsg_type != RTM_NEWTFILTER)
		return;
	uint32_t priority = body->tcm_info >> 16;
	if (is_ours(message)) {
		if (listing->count < sizeof listing->ours / sizeof *listing->ours)
			listing->ours[listing->count++] = *body;
		return;
	}
	listing->others++;
	if (listing->lowest == 0 || priority < listing->lowest)
		listing->lowest = priority;
}

static struct listing filters_of(int index, uint32_t parent)
{
	const struct tcmsg body = { .tcm_ifindex = index, .tcm_parent = parent };
	struct listing listing = { 0 };
	struct request request;
	request_begin(&request, RTM_GETTFILTER, 0, &body, sizeof body);
	netlink_dump(connection(), &request, list_filter, &listing);
	return listing;
}

static void delete_ours(int index, uint32_t parent)
{
	struct listing listing = filters_of(index, parent);
	for (size_t at = 0; at < listing.count; at++) {
		const struct tcmsg body = {
			.tcm_ifindex = index,
			.tcm_parent = parent,
			.tcm_handle = listing.ours[at].tcm_handle,
			.tcm_info = listing.ours[at].tcm_info,
		};
		struct request request;
		request_begin(&request, RTM_DELTFILTER, 0, &body, sizeof body);
		request_text(&request, TCA_KIND, "bpf");
		netlink_ask(connection(), &request);
	}
}

static int add_filter(int index, uint32_t parent, int program)
{
	struct listing listing = filters_of(index, parent);
	uint32_t priority = listing.lowest > 1 ? listing.lowest - 1 : listing.lowest == 1 ? 1 : PRIORITY;
	const struct tcmsg body = {
		.tcm_ifindex = index,
		.tcm_parent = parent,
		.tcm_handle = HANDLE,
		.tcm_info = TC_H_MAKE(priority << 16, htons(ETH_P_ALL)),
	};
	struct request request;
	request_begin(&request, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
	request_text(&request, TCA_KIND, "bpf");
	struct rtattr *options = request_nest(&request, TCA_OPTIONS);
	request_number(&request, TCA_BPF_FD, program);
	request_text(&request, TCA_BPF_NAME, NAME);
	request_number(&request, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	request_end(&request, options);
	return netlink_ask(connection(), &request);
}

int clsact_attach(const struct programs *programs, int index)
{
	const int fds[] = { programs->ingress, programs->egress };
	// Known to the guard before it is there: it may be left over at any moment from now on.
	if (!guard_note(index, false))
		return -1;
	if (change_qdisc(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index) == 0)
		guard_note(index, true);
	else if (errno != EEXIST)
		return -1;
	for (int i = 0; i < 2; i++) {
		delete_ours(index, PARENTS[i]);
		if (add_filter(index, PARENTS[i], fds[i]) == 0)
			continue;
		int error = errno;
		clsact_detach(index);
		errno = error;
		return -1;
	}
	return 0;
}

void clsact_detach(int index)
{
	for (int i = 0; i < 2; i++)
		delete_ours(index, PARENTS[i]);
}

static void leave(int index, bool added)
{
	clsact_detach(index);
	if (!added)
		return;
	for (int i = 0; i < 2; i++) {
		if (filters_of(index, PARENTS[i]).others > 0)
			return;
	}
	change_qdisc(RTM_DELQDISC, 0, index);
}

void clsact_leave(void)
{
	guard_each(leave);
}

struct ports {
	size_t count;
	int indexes[MOST_PORTS];
};

static void collect(const struct nlmsghdr *message, void *context)
{
	struct ports *ports = context;
	const struct tcmsg *body = NLMSG_DATA(message);
	if (message->nlmsg_type == RTM_NEWQDISC && body->tcm_parent == TC_H_CLSACT && ports->count < MOST_PORTS)
		ports->indexes[ports->count++] = body->tcm_ifindex;
}

void clsact_list(const char *name, int index)
{
	static const char *const HOOKS[] = { "ingress", "egress" };
	for (int i = 0; i < 2; i++) {
		struct listing listing = filters_of(index, PARENTS[i]);
		for (size_t at = 0; at < listing.count; at++)
			printf("%s %s clsact %s\n", name, HOOKS[i], NAME);
	}
}

void clsact_sweep(void)
{
	static struct ports ports;
	const struct tcmsg body = { 0 };
	struct request request;
	request_begin(&request, RTM_GETQDISC, 0, &body, sizeof body);
	netlink_dump(connection(), &request, collect, &ports);
	for (size_t at = 0; at < ports.count; at++)
		clsact_detach(ports.indexes[at]);
}
