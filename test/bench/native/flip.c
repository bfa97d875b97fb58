// SPDX-License-Identifier: Apache-2.0
// Moves services there and back, and looks meanwhile who answers their clients.
//
//   flip CLIENT_NS DOM0_NS CLIENTS ROUNDS LIMIT_MS PAUSE_MS PORT HOW_FORTH FILE_FORTH HOW_BACK FILE_BACK ADDRESS...
//
// All are on "a" at the start. CLIENTS threads connect back to back, to the addresses in turn. What is requested stands
// in the files; "@ID@" in it is the `id` of the last answer that had one. Each request prints a line of JSON, times in
// nanoseconds after it was sent:
//
//   way: forth|back; outcome: done|refused|late; answer; flip: what the answer says its message to the kernel took, or 0;
//   first: the first whole connection to the new DomU; last: when the last one began that reached the old one;
//   misdirected: connections that reached the old DomU and were begun after the answer, or the new one before the request;
//   lost: connections that failed; connections: all of them
#include "bench.h"
#include "action.h"
#include <pthread.h>
#include <stdatomic.h>

// Connections of each client, to each address, that have to be right after the answer.
enum { ENOUGH = 10, MOST_ADDRESSES = 16, PATIENCE = 3000, SETTLE_MS = 3500 };
struct client {
	pthread_t thread;
	atomic_long made, lost, misdirected, right;
	_Atomic uint64_t first_new, last_old;
};

static const char *client_namespace;
static struct target addresses[MOST_ADDRESSES];
static int address_count;
static _Atomic char wanted = 'a';
static _Atomic uint64_t asked, answered;
static atomic_int ending;

static void note(struct client *client, int who, uint64_t begun)
{
	uint64_t answer = atomic_load(&answered);
	int is_after = answer != 0 && begun > answer, is_asked = atomic_load(&asked) != 0;
	if (who != atomic_load(&wanted)) {
		client->last_old = begun;
		client->misdirected += is_after;
		client->right = 0;
	} else if (is_asked) {
		if (client->first_new == 0)
			client->first_new = now();
		client->right += is_after;
	} else {
		// Nobody has been sent there yet.
		client->misdirected++;
	}
	client->made++;
}

static void *connect_on(void *argument)
{
	struct client *client = argument;
	char greeting[GREETING];
	enter(client_namespace);
	for (int i = 0; !atomic_load(&ending); i = (i + 1) % address_count) {
		uint64_t begun = now();
		if (ask_who(&addresses[i], greeting, PATIENCE) < 0)
			client->lost++;
		else
			note(client, greeting[0], begun);
	}
	return NULL;
}

static int wait_for(struct client *clients, int count, int after, long milliseconds)
{
	const struct timespec moment = { .tv_nsec = 200000 };
	uint64_t deadline = now() + milliseconds * 1000000ULL;
	for (int i = 0; i < count;) {
		long there = after ? clients[i].right : clients[i].made;
		if (there >= ENOUGH * address_count)
			i++;
		else if (now() > deadline)
			return 0;
		else
			nanosleep(&moment, NULL);
	}
	return 1;
}

// A connection of the round before may still be noted: it only counts as the old one's, which it is.
static void reset(struct client *clients, int count, char target)
{
	atomic_store(&answered, 0);
	atomic_store(&asked, 0);
	atomic_store(&wanted, target);
	for (int i = 0; i < count; i++) {
		clients[i].made = clients[i].lost = clients[i].misdirected = clients[i].right = 0;
		clients[i].first_new = clients[i].last_old = 0;
	}
}

// The number behind "NAME": in a flat look at JSON; its text is cut there.
static unsigned long long number_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void keep_id(const char *text, char id[64])
{
	const char *at = strstr(text, "\"id\":");
	if (at)
		snprintf(id, 64, "%.*s", (int)strcspn(at + 5 + (at[5] == '"'), "\",}"), at + 5 + (at[5] == '"'));
}

static long long after(uint64_t time)
{
	return time == 0 ? -1 : (long long)(time - asked);
}

static void tell(const char *way, const struct answer *answer, struct client *clients, int count)
{
	static const char *const names[] = { "done", "refused", "late" };
	long made = 0, lost = 0, misdirected = 0;
	uint64_t first = 0, last = 0;
	for (int i = 0; i < count; i++) {
		made += clients[i].made;
		lost += clients[i].lost;
		misdirected += clients[i].misdirected;
		if (clients[i].first_new != 0 && (first == 0 || clients[i].first_new < first))
			first = clients[i].first_new;
		if (clients[i].last_old > last)
			last = clients[i].last_old;
	}
	printf("{\"way\":\"%s\",\"outcome\":\"%s\",\"answer\":%llu,\"flip\":%llu,\"first\":%lld,\"last\":%lld,"
	       "\"misdirected\":%ld,\"lost\":%ld,\"connections\":%ld}\n",
	       way, names[answer->outcome], (unsigned long long)(answer->answered - answer->asked),
	       number_of(answer->text, "\"flipMicros\":") * 1000, after(first), after(last), misdirected, lost, made);
	fflush(stdout);
}

// With the id of the last answer in its place.
static char *filled(const char *text, const char *id)
{
	const char *mark = strstr(text, "@ID@");
	char *made = malloc(strlen(text) + 64);
	if (!mark)
		return strcpy(made, text);
	sprintf(made, "%.*s%s%s", (int)(mark - text), text, id, mark + 4);
	return made;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	if (!file || !text)
		die(path);
	text[fread(text, 1, (1 << 20) - 1, file)] = 0;
	fclose(file);
	return text;
}

static int move(const char *way, char target, const char *how, const char *text, long limit, struct client *clients,
		int count)
{
	static char id[64];
	static struct answer answer;
	char *payload = filled(text, id);
	reset(clients, count, target);
	if (!wait_for(clients, count, 0, SETTLE_MS))
		fprintf(stderr, "the clients do not get on\n");
	atomic_store(&asked, now());
	act(how, payload, limit, &answer);
	atomic_store(&answered, answer.answered);
	if (answer.outcome == DONE && !wait_for(clients, count, 1, SETTLE_MS))
		fprintf(stderr, "%s: the clients have not all followed\n", way);
	atomic_store(&asked, answer.asked);
	tell(way, &answer, clients, count);
	if (answer.outcome != DONE)
		fprintf(stderr, "%s: %.600s\n", way, answer.text);
	keep_id(answer.text, id);
	free(payload);
	return answer.outcome == DONE;
}

int main(int argc, char **argv)
{
	if (argc < 13 || argc - 12 > MOST_ADDRESSES) {
		fprintf(stderr, "flip CLIENT_NS DOM0_NS CLIENTS ROUNDS LIMIT_MS PAUSE_MS PORT HOW FILE HOW FILE ADDRESS...\n");
		return 2;
	}
	int count = atoi(argv[3]), rounds = atoi(argv[4]);
	long limit = atol(argv[5]), pause = atol(argv[6]);
	const struct timespec between = { .tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000 };
	char *forth = read_file(argv[9]), *back = read_file(argv[11]);
	struct client *clients = calloc(count + 1, sizeof *clients);
	client_namespace = argv[1];
	address_count = argc - 12;
	for (int i = 0; i < address_count; i++)
		addresses[i] = target_of(argv[12 + i], atoi(argv[7]));
	enter(argv[2]);
	for (int i = 0; i < count; i++)
		if (pthread_create(&clients[i].thread, NULL, connect_on, &clients[i]) != 0)
			die("pthread_create");
	for (int good = 1; good && rounds > 0; rounds--) {
		good = move("forth", 'b', argv[8], forth, limit, clients, count);
		nanosleep(&between, NULL);
		good = good && move("back", 'a', argv[10], back, limit, clients, count);
		nanosleep(&between, NULL);
	}
	atomic_store(&ending, 1);
	for (int i = 0; i < count; i++)
		pthread_join(clients[i].thread, NULL);
	return 0;
}
