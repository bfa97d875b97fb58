// SPDX-License-Identifier: Apache-2.0
// The two programs that time packets, and their maps.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Interfaces that a packet came in by and left by.
struct pair {
	uint32_t in, out;
};

struct totals {
	uint64_t packets, nanos, clipped, bytes;
};

// What happened at the hooks: came in, left, and of those that came in, how many never left in the same run.
struct events {
	uint64_t seen, left, lost;
};

struct programs {
	int on, slots, pairs; // maps
	int ingress, egress;
	int cpus;
	uint32_t ingress_cost, egress_cost; // nanoseconds a run
};

// 0, or -1 with errno, and what was refused in `what`.
int programs_load(struct programs *programs, const char **what);
void programs_switch(const struct programs *programs, bool on);
// Forgets packets under way and everything counted. Only while the hooks are switched off.
void programs_clear(const struct programs *programs);
struct events programs_events(const struct programs *programs);
// The next pair after `at` and its totals over all CPUs; false after the last. Begin with `at` null.
bool programs_next(const struct programs *programs, const struct pair *at, struct pair *pair, struct totals *totals);
