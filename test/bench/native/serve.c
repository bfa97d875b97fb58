// SPDX-License-Identifier: Apache-2.0
// A DomU's server, in both families; says "ready" when it listens, and ends with whoever started it.
//
//   serve NAMESPACE NAME PORT
//
// TCP: by the client's first byte (bench.h). Who: "NAME SOURCE_ADDRESS\n", then it closes. UDP: what came goes back.
#include "bench.h"
#include <sys/epoll.h>
#include <sys/resource.h>

enum { EVENTS = 256, BATCH = 64, MOST_FILES = 65536 };
static char buffer[CHUNK];
// By descriptor: what its client wants; 0 until it has said so.
static char wanted[MOST_FILES];
static const char *my_name;

static int make_socket(int type, int port)
{
	const int one = 1, zero = 0;
	const struct sockaddr_in6 here = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (bind(fd, (const void *)&here, sizeof here) < 0 || (type == SOCK_STREAM && listen(fd, 4096) < 0))
		die("bind");
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void take_connections(int epoll, int listening)
{
	const int one = 1;
	int fd;
	while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= MOST_FILES) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		wanted[fd] = 0;
		watch(epoll, fd);
	}
}

static void greet(int fd)
{
	struct sockaddr_in6 peer;
	socklen_t length = sizeof peer;
	char source[INET6_ADDRSTRLEN] = "", text[GREETING];
	if (getpeername(fd, (void *)&peer, &length) == 0)
		inet_ntop(AF_INET6, &peer.sin6_addr, source, sizeof source);
	const char *plain = strncmp(source, "::ffff:", 7) == 0 ? source + 7 : source;
	int size = snprintf(text, sizeof text, "%s %s\n", my_name, plain);
	send(fd, text, size, MSG_NOSIGNAL);
	close(fd);
}

// Small requests only: an answer that does not fit into the socket's buffer would be cut.
static void serve_connection(int fd)
{
	ssize_t size = recv(fd, buffer, sizeof buffer, 0);
	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0) {
		if (size == 0 && wanted[fd] == SINK)
			send(fd, "k", 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	if (wanted[fd] == 0)
		wanted[fd] = buffer[0];
	if (wanted[fd] == WHO)
		greet(fd);
	else if (wanted[fd] == ECHO_BACK)
		send(fd, buffer, size, MSG_NOSIGNAL);
}

static void serve_datagrams(int fd)
{
	struct sockaddr_in6 from;
	for (int i = 0; i < BATCH; i++) {
		socklen_t length = sizeof from;
		ssize_t size = recvfrom(fd, buffer, sizeof buffer, 0, (void *)&from, &length);
		if (size < 0)
			return;
		sendto(fd, buffer, size, 0, (void *)&from, length);
	}
}

int main(int argc, char **argv)
{
	const struct rlimit files = { MOST_FILES, MOST_FILES };
	struct epoll_event events[EVENTS];
	if (argc != 4) {
		fprintf(stderr, "serve NAMESPACE NAME PORT\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_NOFILE, &files);
	enter(argv[1]);
	my_name = argv[2];
	int tcp = make_socket(SOCK_STREAM, atoi(argv[3])), udp = make_socket(SOCK_DGRAM, atoi(argv[3]));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll, tcp);
	watch(epoll, udp);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			if (fd == tcp)
				take_connections(epoll, fd);
			else if (fd == udp)
				serve_datagrams(fd);
			else
				serve_connection(fd);
		}
	}
}
