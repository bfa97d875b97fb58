// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// A softirq runs on one CPU from begin to end, and no other begins there meanwhile: one slot a CPU is enough. What
// interrupts take in between is in it, as it is in what /proc/stat says.
#include "softirq.h"
#include "bpf.h"
#include "instructions.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The number of the softirq that receives packets (linux/interrupt.h), which the tracepoints' only argument is
// (trace/events/irq.h).
#define NET_RX_SOFTIRQ 3
#define VECTOR ((int)offsetof(struct bpf_raw_tracepoint_args, args[0]))

struct slot {
	uint64_t since; // 0: none is under way that we saw begin
	struct softirq_totals totals;
};
#define SLOT(field) ((int)offsetof(struct slot, field))

enum label { OUT };

static int slots = -1, programs[2] = { -1, -1 }, links[2] = { -1, -1 };
static const char *const TRACEPOINTS[] = { "softirq_entry", "softirq_exit" };

static int load_entry(void)
{
	struct bpf_insn code[] = {
		LOAD64(R(1), R(1), VECTOR),
		JUMP_IF_NE_IMM(R(1), NET_RX_SOFTIRQ, OUT),
		STORE32_IMM(FP, -4, 0),
		MOV(R(2), FP),
		ADD_IMM(R(2), -4),
		LOAD_MAP(R(1), slots),
		CALL(BPF_FUNC_map_lookup_elem),
		JUMP_IF_EQ_IMM(R(0), 0, OUT), // never so
		MOV(R(6), R(0)),
		CALL(BPF_FUNC_ktime_get_ns),
		STORE64(R(6), SLOT(since), R(0)),
		LABEL(OUT),
		MOV_IMM(R(0), 0),
		EXIT(),
	};
	return bpf_program(BPF_PROG_TYPE_RAW_TRACEPOINT, "d0d_softirq_in", code, sizeof code / sizeof *code);
}

static int load_exit(void)
{
	struct bpf_insn code[] = {
		LOAD64(R(1), R(1), VECTOR),
		JUMP_IF_NE_IMM(R(1), NET_RX_SOFTIRQ, OUT),
		STORE32_IMM(FP, -4, 0),
		MOV(R(2), FP),
		ADD_IMM(R(2), -4),
		LOAD_MAP(R(1), slots),
		CALL(BPF_FUNC_map_lookup_elem),
		JUMP_IF_EQ_IMM(R(0), 0, OUT), // never so
		MOV(R(6), R(0)),
		CALL(BPF_FUNC_ktime_get_ns),
		LOAD64(R(1), R(6), SLOT(since)),
		JUMP_IF_EQ_IMM(R(1), 0, OUT), // it began before we looked
		SUB(R(0), R(1)),
		LOAD64(R(1), R(6), SLOT(totals.nanos)),
		ADD(R(1), R(0)),
		STORE64(R(6), SLOT(totals.nanos), R(1)),
		LOAD64(R(1), R(6), SLOT(totals.runs)),
		ADD_IMM(R(1), 1),
		STORE64(R(6), SLOT(totals.runs), R(1)),
		STORE64_IMM(R(6), SLOT(since), 0),
		LABEL(OUT),
		MOV_IMM(R(0), 0),
		EXIT(),
	};
	return bpf_program(BPF_PROG_TYPE_RAW_TRACEPOINT, "d0d_softirq_out", code, sizeof code / sizeof *code);
}

const char *softirq_open(void)
{
	slots = bpf_map("d0d_softirqs", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct slot), 1);
	if (slots < 0)
		return strerror(errno);
	programs[0] = load_entry();
	programs[1] = programs[0] < 0 ? -1 : load_exit();
	return programs[1] < 0 ? strerror(errno) : NULL;
}

static void clear(void)
{
	const uint32_t key = 0;
	struct slot *none = calloc(possible_cpus(), sizeof *none);
	if (none)
		bpf_set(slots, &key, none);
	free(none);
}

const char *softirq_start(void)
{
	clear();
	for (int at = 0; at < 2; at++) {
		links[at] = bpf_tracepoint(TRACEPOINTS[at], programs[at]);
		if (links[at] >= 0)
			continue;
		const char *why = strerror(errno);
		softirq_stop();
		return why;
	}
	return NULL;
}

void softirq_stop(void)
{
	for (int at = 0; at < 2; at++) {
		if (links[at] >= 0)
			close(links[at]);
		links[at] = -1;
	}
}

bool softirq_started(void)
{
	return links[1] >= 0;
}

struct softirq_totals softirq_totals(void)
{
	const uint32_t key = 0;
	struct softirq_totals sum = { 0 };
	int cpus = possible_cpus();
	struct slot *values = calloc(cpus, sizeof *values);
	if (values && bpf_get(slots, &key, values) == 0) {
		for (int cpu = 0; cpu < cpus; cpu++) {
			sum.nanos += values[cpu].totals.nanos;
			sum.runs += values[cpu].totals.runs;
		}
	}
	free(values);
	return sum;
}
