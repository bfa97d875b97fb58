// SPDX-License-Identifier: Apache-2.0
// `meter baseline [auto|tcx|clsact]`: what a plain bridge takes between the same two hooks. Builds one in network namespaces of its own,
// which nobody else can see and which are gone when this process ends, sends datagrams and a bulk of TCP across, and
// prints one line: `small NANOS PACKETS bulk NANOS PACKETS`, or `failed REASON`.
//
// Whether bridged frames are shown to iptables (bridge-nf-call-iptables) is set for each namespace; it is off here, for
// that is what a bridge costs where nothing is routed. The namespaces that are measured are left by nothing.
#define _GNU_SOURCE
#include "commands.h"
#include "hooks.h"
#include "netlink.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { WARM_UP = 1000, DATAGRAMS = 12000, DATAGRAM = 64, CHUNK = 65536, CHUNKS = 1500, PORT = 7, PATIENCE = 5 };

static const char *const ADDRESSES[] = { "10.0.0.1", "10.0.0.2" };

static void fail(const char *what)
{
	printf("failed %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int result, const char *what)
{
	if (result < 0)
		fail(what);
}

// Absent where the kernel has no such thing, which is as well.
static void set(const char *key, const char *value)
{
	int fd = open(key, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		perror(key);
	close(fd);
}

// Enters a namespace that is new; answers a descriptor of it.
static int new_namespace(void)
{
	must(unshare(CLONE_NEWNET), "a network namespace");
	set("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	set("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
	set("/proc/sys/net/bridge/bridge-nf-call-ip6tables", "0");
	set("/proc/sys/net/bridge/bridge-nf-call-arptables", "0");
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	must(fd, "/proc/self/ns/net");
	return fd;
}

static void change(struct request *request, const char *what)
{
	int fd = netlink_open();
	must(fd, "rtnetlink");
	must(netlink_ask(fd, request), what);
	close(fd);
}

static void add_bridge(const char *name)
{
	const struct ifinfomsg body = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct request request;
	request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
	request_text(&request, IFLA_IFNAME, name);
	struct rtattr *info = request_nest(&request, IFLA_LINKINFO);
	request_text(&request, IFLA_INFO_KIND, "bridge");
	struct rtattr *data = request_nest(&request, IFLA_INFO_DATA);
	request_number(&request, IFLA_BR_FORWARD_DELAY, 0);
	request_end(&request, data);
	request_end(&request, info);
	change(&request, "a bridge");
}

// A pair of links, one end here and on the bridge, the other in a namespace, with an address.
static void add_port(const char *name, int bridge, int namespace)
{
	const struct ifinfomsg body = { 0 };
	struct request request;
	request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
	request_text(&request, IFLA_IFNAME, name);
	request_number(&request, IFLA_MASTER, bridge);
	struct rtattr *info = request_nest(&request, IFLA_LINKINFO);
	request_text(&request, IFLA_INFO_KIND, "veth");
	struct rtattr *data = request_nest(&request, IFLA_INFO_DATA);
	struct rtattr *peer = request_nest(&request, VETH_INFO_PEER);
	request_add_body(&request, &body, sizeof body);
	request_text(&request, IFLA_IFNAME, name);
	request_number(&request, IFLA_NET_NS_FD, namespace);
	request_end(&request, peer);
	request_end(&request, data);
	request_end(&request, info);
	change(&request, "a pair of links");
}

static void set_up(const char *link)
{
	const struct ifinfomsg body = { .ifi_index = if_nametoindex(link), .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct request request;
	request_begin(&request, RTM_NEWLINK, 0, &body, sizeof body);
	change(&request, "a link");
}

static void add_address(const char *link, const char *address)
{
	const struct ifaddrmsg body = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = 24,
		.ifa_index = if_nametoindex(link),
	};
	struct in_addr number;
	inet_pton(AF_INET, address, &number);
	struct request request;
	request_begin(&request, RTM_NEWADDR, NLM_F_CREATE, &body, sizeof body);
	request_add(&request, IFA_LOCAL, &number, sizeof number);
	request_add(&request, IFA_ADDRESS, &number, sizeof number);
	change(&request, "an address");
}

static struct sockaddr_in address_of(int end)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	inet_pton(AF_INET, ADDRESSES[end], &address.sin_addr);
	return address;
}

// A socket stays in the namespace that it was made in.
static int socket_in(int namespace, int type, int end)
{
	const struct timeval patience = { .tv_sec = PATIENCE };
	struct sockaddr_in address = address_of(end);
	must(setns(namespace, CLONE_NEWNET), "setns");
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	must(fd, "a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	must(bind(fd, (void *)&address, sizeof address), "bind");
	return fd;
}

// One after another: each finds the caches as the last one's reader left them, as under a load of many.
static void exchange(const int *fds, int count)
{
	char data[DATAGRAM] = { 0 };
	for (int i = 0; i < count; i++) {
		must(send(fds[0], data, sizeof data, 0), "send");
		must(recv(fds[1], data, sizeof data, 0), "recv");
		must(send(fds[1], data, sizeof data, 0), "send");
		must(recv(fds[0], data, sizeof data, 0), "recv");
	}
}

// What was not taken within this time never will be; nothing passes while others have the CPU.
static void wait_for(int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	if (poll(&readable, 1, PATIENCE * 1000) == 0) {
		errno = ETIMEDOUT;
		fail("a stream");
	}
}

static void stream(int from, int to, int chunks)
{
	static char data[CHUNK];
	for (long left = (long)chunks * CHUNK; left > 0;) {
		ssize_t sent = send(from, data, sizeof data, MSG_DONTWAIT), taken;
		if (sent < 0 && errno != EAGAIN)
			fail("send");
		wait_for(to);
		while ((taken = recv(to, data, sizeof data, MSG_DONTWAIT)) > 0)
			left -= taken;
	}
}

static struct totals sum(const struct programs *programs, const struct pair *only)
{
	struct totals all = { 0 }, each;
	struct pair pair, next;
	for (const struct pair *at = NULL; programs_next(programs, at, &next, &each); at = &pair) {
		pair = next;
		if (only && memcmp(only, &pair, sizeof pair) != 0)
			continue;
		all.packets += each.packets;
		all.nanos += each.nanos;
	}
	return all;
}

static struct totals time_small(const struct programs *programs, const int *namespaces)
{
	int fds[2];
	for (int end = 0; end < 2; end++)
		fds[end] = socket_in(namespaces[end], SOCK_DGRAM, end);
	for (int end = 0; end < 2; end++) {
		struct sockaddr_in other = address_of(1 - end);
		must(connect(fds[end], (void *)&other, sizeof other), "connect");
	}
	exchange(fds, WARM_UP);
	programs_switch(programs, true);
	exchange(fds, DATAGRAMS);
	programs_switch(programs, false);
	return sum(programs, NULL);
}

// Only the direction of the data: acknowledgements are small.
static struct totals time_bulk(const struct programs *programs, const int *namespaces, struct pair pair)
{
	struct sockaddr_in to = address_of(1);
	int listening = socket_in(namespaces[1], SOCK_STREAM, 1), from = socket_in(namespaces[0], SOCK_STREAM, 0);
	must(listen(listening, 1), "listen");
	must(connect(from, (void *)&to, sizeof to), "connect");
	int accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	must(accepted, "accept");
	stream(from, accepted, CHUNKS / 10);
	programs_clear(programs);
	programs_switch(programs, true);
	stream(from, accepted, CHUNKS);
	programs_switch(programs, false);
	return sum(programs, &pair);
}

static void print(const char *name, struct totals totals, const char *end)
{
	printf("%s %llu %llu%s", name, (unsigned long long)(totals.packets ? totals.nanos / totals.packets : 0),
	       (unsigned long long)totals.packets, end);
}

int command_baseline(const char *way)
{
	static struct programs programs;
	static struct hooks hooks = { .programs = &programs };
	static const char *const NAMES[] = { "d0d-a", "d0d-b" };
	const char *what;
	// Nobody waits for this; those who direct do not wait for it either.
	if (nice(10) < 0)
		errno = 0;
	const int namespaces[] = { new_namespace(), new_namespace() };
	int own = new_namespace();
	add_bridge("d0d-bridge");
	for (int end = 0; end < 2; end++) {
		add_port(NAMES[end], if_nametoindex("d0d-bridge"), namespaces[end]);
		set_up(NAMES[end]);
	}
	struct pair pair = { if_nametoindex(NAMES[0]), if_nametoindex(NAMES[1]) };
	must(programs_load(&programs, &what), "the BPF programs");
	// Filters of these namespaces end with them: no guard is needed.
	must(hooks_choose(&hooks, way) ? 0 : -1, "tcx");
	must(hooks_attach(&hooks, pair.in), "a hook");
	must(hooks_attach(&hooks, pair.out), "a hook");
	for (int end = 0; end < 2; end++) {
		must(setns(namespaces[end], CLONE_NEWNET), "setns");
		set_up(NAMES[end]);
		add_address(NAMES[end], ADDRESSES[end]);
	}
	must(setns(own, CLONE_NEWNET), "setns");
	print("small", time_small(&programs, namespaces), " ");
	print("bulk", time_bulk(&programs, namespaces, pair), "\n");
	return 0;
}
