// SPDX-License-Identifier: Apache-2.0
// What the bench's programs share. All times are nanoseconds of CLOCK_MONOTONIC, which all namespaces have in common.
#ifndef BENCH_H
#define BENCH_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// The first byte that a client sends tells the server what it wants: who answers, then the end; each byte back; or
// only that all has arrived.
enum { WHO = 'w', ECHO_BACK = 'r', SINK = 's', GREETING = 48, CHUNK = 65536 };

struct target {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t length;
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

// The calling thread's network namespace, by the name that ip-netns(8) gave it.
static inline void enter(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "/run/netns/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(path);
	close(fd);
}

static inline struct target target_of(const char *address, int port)
{
	struct target to = { 0 };
	if (inet_pton(AF_INET, address, &to.address.v4.sin_addr) == 1) {
		to.address.v4.sin_family = AF_INET;
		to.address.v4.sin_port = htons(port);
		to.length = sizeof to.address.v4;
	} else if (inet_pton(AF_INET6, address, &to.address.v6.sin6_addr) == 1) {
		to.address.v6.sin6_family = AF_INET6;
		to.address.v6.sin6_port = htons(port);
		to.length = sizeof to.address.v6;
	} else {
		fprintf(stderr, "%s is no address\n", address);
		exit(2);
	}
	return to;
}

// A socket whose calls come to an end, with an error if need be.
static inline int patient_socket(const struct target *to, int type, long milliseconds)
{
	const int one = 1;
	const struct timeval patience = { .tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000 };
	int fd = socket(to->address.any.sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

// Who answers: the greeting, with a zero at its end; its length, or -1 where the connection was lost.
static inline int ask_who(const struct target *to, char greeting[GREETING], long milliseconds)
{
	const char who = WHO;
	int fd = patient_socket(to, SOCK_STREAM, milliseconds), length = -1;
	if (connect(fd, &to->address.any, to->length) == 0 && send(fd, &who, 1, MSG_NOSIGNAL) == 1)
		length = recv(fd, greeting, GREETING - 1, 0);
	close(fd);
	if (length <= 0)
		return -1;
	greeting[length] = 0;
	return length;
}
#endif
