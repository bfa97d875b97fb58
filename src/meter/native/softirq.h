// SPDX-License-Identifier: Apache-2.0
// How long network softirqs take, of all CPUs and network namespaces: the time between the tracepoints at their begin
// and end. Raw tracepoints (Linux 4.17) want neither BTF nor perf, and are left when their descriptors are closed.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct softirq_totals {
	uint64_t nanos, runs;
};

// Null, or in words why this kernel does not let it be done. Nothing is timed yet.
const char *softirq_open(void);
// From 0 on. Null, or why not.
const char *softirq_start(void);
void softirq_stop(void);
bool softirq_started(void);
// Since the start.
struct softirq_totals softirq_totals(void);
