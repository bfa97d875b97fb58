// SPDX-License-Identifier: Apache-2.0
// A fixed amount of work, done by several clients at once; prints what it took as one line of JSON.
//
//   work NAMESPACE connections|requests|bulk|datagrams COUNT CLIENTS ADDRESS PORT
//
// connections: one byte there, a greeting back, each on a connection of its own. requests: 64 bytes there and back on
// a connection that is kept. bulk: so many times 64 KiB. datagrams: of 64 bytes, in bursts of 32, each of which comes
// back. `busy` are nanoseconds of all CPUs of this machine (proc(5), stat: what is neither idle nor stolen), in ticks.
#include "bench.h"
#include <pthread.h>
#include <stdatomic.h>

enum { BURST = 32, SMALL = 64, PATIENCE = 5000 };
struct client {
	pthread_t thread;
	long count, lost;
	// Nanoseconds of each piece of work.
	uint32_t *took;
	char greeting[GREETING];
};
typedef void (*work)(struct client *);

static const char *in_namespace;
static struct target to;
static pthread_barrier_t begin;
static work chosen;

static void note(struct client *client, long i, uint64_t since)
{
	uint64_t took = now() - since;
	client->took[i] = took > UINT32_MAX ? UINT32_MAX : took;
}

static void do_connections(struct client *client)
{
	for (long i = 0; i < client->count; i++) {
		uint64_t since = now();
		if (ask_who(&to, client->greeting, PATIENCE) < 0)
			client->lost++;
		note(client, i, since);
	}
}

static int connected(int type)
{
	int fd = patient_socket(&to, type, PATIENCE);
	if (connect(fd, &to.address.any, to.length) < 0)
		die("connect");
	return fd;
}

static void do_requests(struct client *client)
{
	char text[SMALL];
	int fd = connected(SOCK_STREAM);
	memset(text, ECHO_BACK, sizeof text);
	for (long i = 0; i < client->count; i++) {
		uint64_t since = now();
		if (send(fd, text, sizeof text, MSG_NOSIGNAL) != SMALL ||
		    recv(fd, text, sizeof text, MSG_WAITALL) != SMALL)
			die("a request");
		note(client, i, since);
	}
	close(fd);
}

static void do_bulk(struct client *client)
{
	char *chunk = malloc(CHUNK);
	int fd = connected(SOCK_STREAM);
	memset(chunk, SINK, CHUNK);
	for (long i = 0; i < client->count; i++) {
		uint64_t since = now();
		for (size_t sent = 0; sent < CHUNK;) {
			ssize_t size = send(fd, chunk, CHUNK - sent, MSG_NOSIGNAL);
			if (size < 0)
				die("bulk");
			sent += size;
		}
		note(client, i, since);
	}
	shutdown(fd, SHUT_WR);
	if (recv(fd, chunk, 1, 0) != 1)
		die("the end of bulk");
	close(fd);
	free(chunk);
}

// A burst goes out as one call, and so do its answers come in as far as they are there.
static void do_datagrams(struct client *client)
{
	static char text[SMALL];
	char answers[BURST][SMALL];
	struct iovec out = { text, SMALL }, in[BURST];
	struct mmsghdr sending[BURST] = { 0 }, receiving[BURST] = { 0 };
	int fd = connected(SOCK_DGRAM);
	const struct timeval patience = { .tv_usec = 200000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	for (int i = 0; i < BURST; i++) {
		in[i] = (struct iovec){ answers[i], SMALL };
		sending[i].msg_hdr = (struct msghdr){ .msg_iov = &out, .msg_iovlen = 1 };
		receiving[i].msg_hdr = (struct msghdr){ .msg_iov = &in[i], .msg_iovlen = 1 };
	}
	for (long i = 0; i + BURST <= client->count; i += BURST) {
		uint64_t since = now();
		int there = 0, back = 0;
		while (there < BURST) {
			int more = sendmmsg(fd, sending + there, BURST - there, 0);
			if (more <= 0)
				die("sendmmsg");
			there += more;
		}
		while (back < BURST) {
			int more = recvmmsg(fd, receiving, BURST - back, MSG_WAITFORONE, NULL);
			if (more <= 0)
				break;
			back += more;
		}
		client->lost += BURST - back;
		for (int j = 0; j < BURST; j++)
			note(client, i + j, since);
	}
	close(fd);
}

static void *run(void *argument)
{
	struct client *client = argument;
	enter(in_namespace);
	pthread_barrier_wait(&begin);
	chosen(client);
	return NULL;
}

static work work_of(const char *name)
{
	if (strcmp(name, "connections") == 0)
		return do_connections;
	if (strcmp(name, "requests") == 0)
		return do_requests;
	if (strcmp(name, "bulk") == 0)
		return do_bulk;
	return strcmp(name, "datagrams") == 0 ? do_datagrams : NULL;
}

// user, nice, system, (idle, iowait), irq, softirq.
static uint64_t busy_nanos(void)
{
	unsigned long long t[7] = { 0 };
	FILE *file = fopen("/proc/stat", "r");
	if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", t, t + 1, t + 2, t + 3, t + 4, t + 5,
			    t + 6) != 7)
		die("/proc/stat");
	fclose(file);
	return (t[0] + t[1] + t[2] + t[5] + t[6]) * (1000000000ULL / sysconf(_SC_CLK_TCK));
}

static int by_size(const void *one, const void *other)
{
	const uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	if (argc != 7 || !(chosen = work_of(argv[2])) || atoi(argv[4]) < 1) {
		fprintf(stderr, "work NAMESPACE connections|requests|bulk|datagrams COUNT CLIENTS ADDRESS PORT\n");
		return 2;
	}
	int clients = atoi(argv[4]);
	long each = atol(argv[3]) / clients / BURST * BURST, all = each * clients, lost = 0;
	uint32_t *took = calloc(all, sizeof *took);
	struct client *client = calloc(clients, sizeof *client);
	if (all == 0 || !took || !client)
		die("too little work");
	memset(took, 0xff, all * sizeof *took);
	in_namespace = argv[1];
	to = target_of(argv[5], atoi(argv[6]));
	pthread_barrier_init(&begin, NULL, clients + 1);
	for (int i = 0; i < clients; i++) {
		client[i].count = each;
		client[i].took = took + i * each;
		if (pthread_create(&client[i].thread, NULL, run, &client[i]) != 0)
			die("pthread_create");
	}
	uint64_t busy = busy_nanos(), since = now();
	pthread_barrier_wait(&begin);
	for (int i = 0; i < clients; i++) {
		pthread_join(client[i].thread, NULL);
		lost += client[i].lost;
	}
	uint64_t wall = now() - since;
	busy = busy_nanos() - busy;
	qsort(took, all, sizeof *took, by_size);
	client[0].greeting[strcspn(client[0].greeting, "\n")] = 0;
	printf("{\"done\":%ld,\"lost\":%ld,\"wall\":%llu,\"busy\":%llu,\"p50\":%u,\"p99\":%u,\"p999\":%u,\"greeting\":\"%s\"}\n",
	       all, lost, (unsigned long long)wall, (unsigned long long)busy, took[all / 2], took[all * 99 / 100],
	       took[all * 999 / 1000], client[0].greeting);
	return 0;
}
