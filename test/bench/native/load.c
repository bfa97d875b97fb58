// SPDX-License-Identifier: Apache-2.0
// A fixed amount of work between two network namespaces, with both ends on one CPU; prints what it took as one line:
//
//   cpu NANOS softirqd NANOS wall NANOS
//
// cpu: of both ends, with all that softirqs did in their context; softirqd: of that CPU's ksoftirqd meanwhile.
//
//   load udp|rr|connections|bulk COUNT CLIENT_NS SERVER_NS ADDRESS PORT CPU [SERVER_ADDRESS_PORT]
//
// udp: datagrams of 64 bytes, one answered in 64; rr: one byte there and back; connections: one byte there and back,
// each on a connection of its own; bulk: so many times 64 KiB. The server listens on PORT, or on the last argument.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, CHUNK = 65536 };
static char buffer[CHUNK];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t nanos(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void enter(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "/run/netns/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(path);
	close(fd);
}

static int make_socket(int type)
{
	const int one = 1;
	const struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static void get(int fd, size_t size)
{
	if (recv(fd, buffer, size, MSG_WAITALL) != (ssize_t)size)
		die("recv");
}

static void put(int fd, size_t size)
{
	if (send(fd, buffer, size, MSG_NOSIGNAL) != (ssize_t)size)
		die("send");
}

static void serve_udp(int fd, long count)
{
	struct sockaddr_in from;
	socklen_t length = sizeof from;
	for (long i = 1; i <= count; i++) {
		if (recvfrom(fd, buffer, 64, 0, (void *)&from, &length) < 0)
			die("recvfrom");
		if (i % BATCH == 0 && sendto(fd, buffer, 1, 0, (void *)&from, length) < 0)
			die("sendto");
	}
}

static void serve_tcp(int listening, const char *mode, long count)
{
	long connections = strcmp(mode, "connections") == 0 ? count : 1;
	for (long i = 0; i < connections; i++) {
		int fd = accept(listening, NULL, NULL);
		if (fd < 0)
			die("accept");
		if (strcmp(mode, "bulk") == 0) {
			while (recv(fd, buffer, sizeof buffer, 0) > 0)
				;
		} else {
			for (long j = 0; j < (connections > 1 ? 1 : count); j++) {
				get(fd, 1);
				put(fd, 1);
			}
		}
		close(fd);
	}
}

static void connect_to(int fd, const struct sockaddr_in *to)
{
	if (connect(fd, (const void *)to, sizeof *to) < 0)
		die("connect");
}

static void ask(const char *mode, long count, const struct sockaddr_in *to)
{
	int datagrams = strcmp(mode, "udp") == 0, each = strcmp(mode, "connections") == 0;
	int fd = make_socket(datagrams ? SOCK_DGRAM : SOCK_STREAM);
	if (!each)
		connect_to(fd, to);
	for (long i = 1; i <= count; i++) {
		if (datagrams) {
			put(fd, 64);
			if (i % BATCH == 0)
				get(fd, 1);
		} else if (strcmp(mode, "bulk") == 0) {
			for (size_t sent = 0; sent < CHUNK;) {
				ssize_t size = send(fd, buffer, CHUNK - sent, MSG_NOSIGNAL);
				if (size < 0)
					die("send");
				sent += size;
			}
		} else {
			int one = each ? make_socket(SOCK_STREAM) : fd;
			if (each)
				connect_to(one, to);
			put(one, 1);
			get(one, 1);
			if (each)
				close(one);
		}
	}
	close(fd);
}

// The first figure of schedstat: nanoseconds on the CPU.
static uint64_t softirqd_nanos(int cpu)
{
	char path[64], name[32], comm[32];
	unsigned long long time = 0;
	static int pid;
	snprintf(name, sizeof name, "ksoftirqd/%d\n", cpu);
	for (int at = pid ? pid : 1; at < 4096; at++) {
		snprintf(path, sizeof path, "/proc/%d/comm", at);
		FILE *file = fopen(path, "r");
		if (!file)
			continue;
		int found = fgets(comm, sizeof comm, file) && strcmp(comm, name) == 0;
		fclose(file);
		if (!found)
			continue;
		pid = at;
		snprintf(path, sizeof path, "/proc/%d/schedstat", at);
		file = fopen(path, "r");
		if (file && fscanf(file, "%llu", &time) != 1)
			time = 0;
		if (file)
			fclose(file);
		break;
	}
	return time;
}

static int serve(const char *mode, long count, const char *ns, int port, int ready)
{
	const struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(port) };
	int datagrams = strcmp(mode, "udp") == 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter(ns);
	int fd = make_socket(datagrams ? SOCK_DGRAM : SOCK_STREAM);
	if (bind(fd, (const void *)&here, sizeof here) < 0 || (!datagrams && listen(fd, 128) < 0))
		die("bind");
	uint64_t before = nanos(CLOCK_PROCESS_CPUTIME_ID), used;
	if (write(ready, "", 1) != 1)
		die("write");
	if (datagrams)
		serve_udp(fd, count);
	else
		serve_tcp(fd, mode, count);
	used = nanos(CLOCK_PROCESS_CPUTIME_ID) - before;
	return write(ready, &used, sizeof used) == sizeof used ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc < 8) {
		fprintf(stderr, "load udp|rr|connections|bulk COUNT CLIENT_NS SERVER_NS ADDRESS PORT CPU [SERVER_PORT]\n");
		return 2;
	}
	long count = atol(argv[2]) / BATCH * BATCH;
	int port = atoi(argv[6]), cpu = atoi(argv[7]), ends[2];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (inet_pton(AF_INET, argv[5], &to.sin_addr) != 1 || sched_setaffinity(0, sizeof set, &set) < 0 || pipe(ends) < 0)
		die("setup");
	if (fork() == 0)
		_exit(serve(argv[1], count, argv[4], argc > 8 ? atoi(argv[8]) : port, ends[1]));
	close(ends[1]);
	enter(argv[3]);
	uint64_t server = 0;
	char byte;
	if (read(ends[0], &byte, 1) != 1)
		die("the server");
	uint64_t softirqd = softirqd_nanos(cpu), cpu_before = nanos(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t wall = nanos(CLOCK_MONOTONIC);
	ask(argv[1], count, &to);
	if (read(ends[0], &server, sizeof server) != sizeof server)
		die("the server");
	wall = nanos(CLOCK_MONOTONIC) - wall;
	uint64_t client = nanos(CLOCK_PROCESS_CPUTIME_ID) - cpu_before;
	printf("cpu %llu softirqd %llu wall %llu\n", (unsigned long long)(client + server),
	       (unsigned long long)(softirqd_nanos(cpu) - softirqd), (unsigned long long)wall);
	return 0;
}
