// SPDX-License-Identifier: Apache-2.0
// `meter hooks tcx|clsact|auto`: times packets on request, until standard input ends.
//
//   window MILLIS INDEX...   hook these ports, time for so long, unhook
//   always INDEX...          keep these ports hooked, and only these; what was timed since the last call
//
// Each is answered by lines `pair IN OUT PACKETS NANOS CLIPPED BYTES`, one `softirq NANOS RUNS` (network softirqs of the
// whole host meanwhile) or `nosoftirq REASON`, and one `done EVENTS LOST COST`: packets at the hooks, those that came in
// and never left, nanoseconds that it all cost; or by `failed REASON`. The first line of all is `ready tcx` or `ready
// clsact`; or `refused REASON`, and it ends.
#include "hooks.h"
#include "guard.h"
#include "commands.h"
#include "softirq.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// What the kernel takes to call a program, beside the program, and what a softirq takes to be timed; nanoseconds.
enum { CALL_COST = 25, SOFTIRQ_COST = 2 * (CALL_COST + 45), MOST_KNOWN = 4096 };

static struct programs programs;
static struct hooks hooks = { .programs = &programs };
static int guard = -1;

// Totals at the last call, while the hooks stay.
static struct known {
	struct pair pair;
	struct totals totals;
} known[MOST_KNOWN];
static size_t known_count;
static struct events known_events;
static struct softirq_totals known_softirqs;
// Why softirqs are not timed; null where they are.
static const char *no_softirq;

static uint64_t own_nanos(void)
{
	struct timespec time;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void clear_up(void)
{
	if (hooks.way == CLSACT)
		clsact_leave();
}

static void end(int status)
{
	softirq_stop();
	programs_switch(&programs, false);
	hooks_detach_all(&hooks);
	clear_up();
	exit(status);
}

// True: the time is over, or there is something to read. Ends when whoever asks, or the guard, is gone.
static void wait_for_input(int millis)
{
	struct pollfd fds[] = { { .fd = millis < 0 ? 0 : -1, .events = POLLIN }, { .fd = guard, .events = POLLIN } };
	struct pollfd hangup = { .fd = 0 };
	if (millis >= 0)
		fds[0] = hangup;
	int ready = poll(fds, 2, millis);
	if (ready > 0 && fds[1].revents)
		end(1);
	if (ready > 0 && millis >= 0 && fds[0].revents)
		end(0);
}

static struct totals *known_of(struct pair pair)
{
	for (size_t at = 0; at < known_count; at++) {
		if (memcmp(&known[at].pair, &pair, sizeof pair) == 0)
			return &known[at].totals;
	}
	if (known_count == MOST_KNOWN)
		return NULL;
	known[known_count] = (struct known){ .pair = pair };
	return &known[known_count++].totals;
}

static void print_pair(struct pair pair, struct totals now)
{
	struct totals *before = known_of(pair);
	struct totals none = { 0 };
	if (!before)
		before = &none;
	if (now.packets == before->packets && now.clipped == before->clipped)
		return;
	printf("pair %u %u %llu %llu %llu %llu\n", pair.in, pair.out,
	       (unsigned long long)(now.packets - before->packets),
	       (unsigned long long)(now.nanos - before->nanos),
	       (unsigned long long)(now.clipped - before->clipped),
	       (unsigned long long)(now.bytes - before->bytes));
	*before = now;
}

// Answers what timing them has cost.
static uint64_t print_softirqs(void)
{
	if (no_softirq) {
		printf("nosoftirq %s\n", no_softirq);
		return 0;
	}
	struct softirq_totals now = softirq_totals();
	uint64_t nanos = now.nanos - known_softirqs.nanos, runs = now.runs - known_softirqs.runs;
	printf("softirq %llu %llu\n", (unsigned long long)nanos, (unsigned long long)runs);
	known_softirqs = now;
	return runs * SOFTIRQ_COST;
}

static void print_all(uint64_t began)
{
	struct pair pair, next;
	struct totals totals;
	for (const struct pair *at = NULL; programs_next(&programs, at, &next, &totals); at = &pair) {
		print_pair(next, totals);
		pair = next;
	}
	struct events now = programs_events(&programs);
	uint64_t seen = now.seen - known_events.seen, left = now.left - known_events.left;
	uint64_t cost = seen * (programs.ingress_cost + CALL_COST) + left * (programs.egress_cost + CALL_COST);
	cost += print_softirqs();
	printf("done %llu %llu %llu\n", (unsigned long long)(seen + left),
	       (unsigned long long)(now.lost - known_events.lost), (unsigned long long)(cost + own_nanos() - began));
	known_events = now;
}

static void forget(void)
{
	programs_clear(&programs);
	known_count = 0;
	known_events = (struct events){ 0 };
}

static void start_softirqs(void)
{
	if (no_softirq || softirq_started())
		return;
	no_softirq = softirq_start();
	known_softirqs = (struct softirq_totals){ 0 };
}

// A port that is gone is no failure: a guest may stop at any time.
static bool attach(int index)
{
	if (hooks_attach(&hooks, index) == 0 || errno == ENODEV)
		return true;
	printf("failed interface %d cannot be hooked: %s\n", index, strerror(errno));
	return false;
}

static void window(int millis, const int *indexes, size_t count)
{
	uint64_t began = own_nanos();
	hooks_detach_all(&hooks);
	forget();
	for (size_t at = 0; at < count; at++) {
		if (attach(indexes[at]))
			continue;
		hooks_detach_all(&hooks);
		return;
	}
	// Only when all are there: a packet that passes one hook of two would be taken for another's.
	programs_switch(&programs, true);
	start_softirqs();
	wait_for_input(millis);
	softirq_stop();
	programs_switch(&programs, false);
	hooks_detach_all(&hooks);
	print_all(began);
}

static bool listed(int index, const int *indexes, size_t count)
{
	for (size_t at = 0; at < count; at++) {
		if (indexes[at] == index)
			return true;
	}
	return false;
}

static bool attached(int index)
{
	for (size_t at = 0; at < hooks.count; at++) {
		if (hooks.ports[at].index == index)
			return true;
	}
	return false;
}

static void always(const int *indexes, size_t count)
{
	uint64_t began = own_nanos();
	for (size_t at = hooks.count; at-- > 0;) {
		if (!listed(hooks.ports[at].index, indexes, count))
			hooks_detach(&hooks, at);
	}
	for (size_t at = 0; at < count; at++) {
		if (!attached(indexes[at]) && !attach(indexes[at]))
			return;
	}
	programs_switch(&programs, true);
	start_softirqs();
	print_all(began);
}

static size_t parse_numbers(int *numbers, size_t most)
{
	size_t count = 0;
	for (char *word; count < most && (word = strtok(NULL, " \n"));)
		numbers[count++] = atoi(word);
	return count;
}

static void answer(char *line)
{
	static int numbers[MOST_PORTS + 1];
	const char *verb = strtok(line, " \n");
	size_t count = verb ? parse_numbers(numbers, MOST_PORTS + 1) : 0;
	if (verb && strcmp(verb, "window") == 0 && count > 0)
		window(numbers[0], numbers + 1, count - 1);
	else if (verb && strcmp(verb, "always") == 0)
		always(numbers, count);
	else
		printf("failed this is no request\n");
}

// tcx where the kernel has it. Answers why not, or null.
static const char *choose(const char *way)
{
	if (!hooks_choose(&hooks, way))
		return "this kernel has no tcx";
	if (hooks.way == TCX)
		return NULL;
	clsact_sweep();
	guard = guard_start(clear_up);
	return guard < 0 ? "the guard could not be started" : NULL;
}

static int refuse(const char *what, int error)
{
	printf("refused %s: %s\n", what, strerror(error));
	return 1;
}

int command_hooks(const char *way)
{
	static char line[16 * MOST_PORTS];
	const char *what;
	if (programs_load(&programs, &what) < 0)
		return refuse(what, errno);
	what = choose(way);
	if (what)
		return refuse(what, errno);
	no_softirq = softirq_open();
	printf("ready %s\n", hooks.way == TCX ? "tcx" : "clsact");
	fflush(stdout);
	setvbuf(stdin, NULL, _IONBF, 0);
	for (;;) {
		wait_for_input(-1);
		if (!fgets(line, sizeof line, stdin))
			end(0);
		answer(line);
		fflush(stdout);
	}
}
