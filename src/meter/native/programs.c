// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// From a packet's ingress at one port to its egress at another everything happens in one softirq on one CPU, so what
// came in last on a CPU is what leaves next: the time between goes to the account of these two ports.
//
// Drivers may hand over packets in lists (NAPI with GRO): then several pass ingress before the first passes egress.
// They follow each other within a fraction of a microsecond, which is how they are told from a packet that came in and
// never left (it was for the host itself, or dropped). Of a list, each packet is charged from the last one's egress on.
#include "programs.h"
#include "bpf.h"
#include "instructions.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Nanoseconds. A longer span means that the CPU was taken away; packets of a list follow each other faster than LIST.
#define LONGEST 1000000
#define LIST 500
#define MOST_PAIRS 4096
#define TC_ACT_UNSPEC (-1) // go on as if we were not there (linux/pkt_cls.h); TCX_NEXT is the same number

struct slot {
	uint64_t since;   // from when the next packet that leaves is charged
	uint64_t last;    // when the last one came in
	uint32_t in;      // by which port
	uint32_t waiting; // how many came in and have not left
	uint64_t seen, left, lost;
};
#define SLOT(field) ((int)offsetof(struct slot, field))
#define TOTAL(field) ((int)offsetof(struct totals, field))
#define SKB(field) ((int)offsetof(struct __sk_buff, field))

enum label { OUT, LOST, FRESH, FOUND, CLIPPED };

static int load_ingress(const struct programs *p)
{
	struct bpf_insn code[] = {
		MOV(R(6), R(1)),                           // r6: the packet
		LOAD_MAP_VALUE(R(1), p->on),
		LOAD32(R(1), R(1), 0),
		JUMP_IF_EQ_IMM(R(1), 0, OUT),              // switched off
		STORE32_IMM(FP, -4, 0),
		MOV(R(2), FP),
		ADD_IMM(R(2), -4),
		LOAD_MAP(R(1), p->slots),
		CALL(BPF_FUNC_map_lookup_elem),
		JUMP_IF_EQ_IMM(R(0), 0, OUT),              // never so
		MOV(R(7), R(0)),                           // r7: this CPU's slot
		CALL(BPF_FUNC_ktime_get_ns),               // r0: now
		LOAD64(R(1), R(7), SLOT(seen)),
		ADD_IMM(R(1), 1),
		STORE64(R(7), SLOT(seen), R(1)),
		LOAD32(R(1), R(6), SKB(ifindex)),          // r1: by which port it came
		LOAD32(R(2), R(7), SLOT(waiting)),         // r2: how many wait
		JUMP_IF_EQ_IMM(R(2), 0, FRESH),            // none
		LOAD32(R(3), R(7), SLOT(in)),
		JUMP_IF_NE(R(3), R(1), LOST),              // by another port
		LOAD64(R(3), R(7), SLOT(last)),
		MOV(R(4), R(0)),
		SUB(R(4), R(3)),
		JUMP_IF_GT_IMM(R(4), LIST, LOST),          // long ago
		// one more of a list
		ADD_IMM(R(2), 1),
		STORE32(R(7), SLOT(waiting), R(2)),
		STORE64(R(7), SLOT(last), R(0)),
		JUMP(OUT),
		LABEL(LOST), // those that wait will not leave any more
		LOAD64(R(3), R(7), SLOT(lost)),
		ADD(R(3), R(2)),
		STORE64(R(7), SLOT(lost), R(3)),
		LABEL(FRESH),
		STORE32(R(7), SLOT(in), R(1)),
		STORE32_IMM(R(7), SLOT(waiting), 1),
		STORE64(R(7), SLOT(last), R(0)),
		STORE64(R(7), SLOT(since), R(0)),
		LABEL(OUT),
		MOV_IMM(R(0), TC_ACT_UNSPEC),
		EXIT(),
	};
	return bpf_program(BPF_PROG_TYPE_SCHED_CLS, "d0d_ingress", code, sizeof code / sizeof *code);
}

static int load_egress(const struct programs *p)
{
	struct bpf_insn code[] = {
		MOV(R(6), R(1)),                           // r6: the packet
		LOAD_MAP_VALUE(R(1), p->on),
		LOAD32(R(1), R(1), 0),
		JUMP_IF_EQ_IMM(R(1), 0, OUT),              // switched off
		LOAD32(R(1), R(6), SKB(ingress_ifindex)),
		JUMP_IF_EQ_IMM(R(1), 0, OUT),              // the host's own packet
		STORE32_IMM(FP, -4, 0),
		MOV(R(2), FP),
		ADD_IMM(R(2), -4),
		LOAD_MAP(R(1), p->slots),
		CALL(BPF_FUNC_map_lookup_elem),
		JUMP_IF_EQ_IMM(R(0), 0, OUT),              // never so
		MOV(R(7), R(0)),                           // r7: this CPU's slot
		CALL(BPF_FUNC_ktime_get_ns),
		MOV(R(8), R(0)),                           // r8: now
		LOAD64(R(1), R(7), SLOT(left)),
		ADD_IMM(R(1), 1),
		STORE64(R(7), SLOT(left), R(1)),
		LOAD32(R(1), R(7), SLOT(waiting)),
		JUMP_IF_EQ_IMM(R(1), 0, OUT),              // it came in before we looked
		ADD_IMM(R(1), -1),
		STORE32(R(7), SLOT(waiting), R(1)),
		LOAD64(R(1), R(7), SLOT(since)),
		MOV(R(9), R(8)),
		SUB(R(9), R(1)),                           // r9: how long it took
		STORE64(R(7), SLOT(since), R(8)),
		// the pair, at -8 of the stack
		LOAD32(R(1), R(7), SLOT(in)),
		STORE32(FP, -8, R(1)),
		LOAD32(R(1), R(6), SKB(ifindex)),
		STORE32(FP, -4, R(1)),
		MOV(R(2), FP),
		ADD_IMM(R(2), -8),
		LOAD_MAP(R(1), p->pairs),
		CALL(BPF_FUNC_map_lookup_elem),
		JUMP_IF_NE_IMM(R(0), 0, FOUND),            // known
		// a new pair: totals of zero, at -40 of the stack
		STORE64_IMM(FP, -40, 0),
		STORE64_IMM(FP, -32, 0),
		STORE64_IMM(FP, -24, 0),
		STORE64_IMM(FP, -16, 0),
		LOAD_MAP(R(1), p->pairs),
		MOV(R(2), FP),
		ADD_IMM(R(2), -8),
		MOV(R(3), FP),
		ADD_IMM(R(3), -40),
		MOV_IMM(R(4), BPF_NOEXIST),                // another CPU may have been faster
		CALL(BPF_FUNC_map_update_elem),
		MOV(R(2), FP),
		ADD_IMM(R(2), -8),
		LOAD_MAP(R(1), p->pairs),
		CALL(BPF_FUNC_map_lookup_elem),
		JUMP_IF_EQ_IMM(R(0), 0, OUT),              // no room
		LABEL(FOUND),
		JUMP_IF_GT_IMM(R(9), LONGEST, CLIPPED),    // the CPU was taken away
		LOAD64(R(1), R(0), TOTAL(packets)),
		ADD_IMM(R(1), 1),
		STORE64(R(0), TOTAL(packets), R(1)),
		LOAD64(R(1), R(0), TOTAL(nanos)),
		ADD(R(1), R(9)),
		STORE64(R(0), TOTAL(nanos), R(1)),
		LOAD32(R(2), R(6), SKB(len)),
		LOAD64(R(1), R(0), TOTAL(bytes)),
		ADD(R(1), R(2)),
		STORE64(R(0), TOTAL(bytes), R(1)),
		JUMP(OUT),
		LABEL(CLIPPED),
		LOAD64(R(1), R(0), TOTAL(clipped)),
		ADD_IMM(R(1), 1),
		STORE64(R(0), TOTAL(clipped), R(1)),
		LABEL(OUT),
		MOV_IMM(R(0), TC_ACT_UNSPEC),
		EXIT(),
	};
	return bpf_program(BPF_PROG_TYPE_SCHED_CLS, "d0d_egress", code, sizeof code / sizeof *code);
}

// On packets that go nowhere; the verifier has seen to it that they cannot do harm.
static void benchmark(struct programs *p)
{
	const uint32_t repeat = 2000;
	programs_switch(p, true);
	p->ingress_cost = bpf_cost(p->ingress, repeat);
	p->egress_cost = bpf_cost(p->egress, repeat);
	programs_switch(p, false);
	programs_clear(p);
}

int programs_load(struct programs *p, const char **what)
{
	p->cpus = possible_cpus();
	*what = "a BPF map";
	p->on = bpf_map("d0d_on", BPF_MAP_TYPE_ARRAY, 4, 4, 1);
	p->slots = bpf_map("d0d_slots", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct slot), 1);
	p->pairs = bpf_map("d0d_pairs", BPF_MAP_TYPE_PERCPU_HASH, sizeof(struct pair), sizeof(struct totals), MOST_PAIRS);
	if (p->on < 0 || p->slots < 0 || p->pairs < 0)
		return -1;
	*what = "a BPF program";
	p->ingress = load_ingress(p);
	p->egress = p->ingress < 0 ? -1 : load_egress(p);
	if (p->egress < 0)
		return -1;
	benchmark(p);
	return 0;
}

void programs_switch(const struct programs *p, bool on)
{
	const uint32_t key = 0, value = on;
	bpf_set(p->on, &key, &value);
}

void programs_clear(const struct programs *p)
{
	const uint32_t key = 0;
	struct slot *slots = calloc(p->cpus, sizeof *slots);
	struct pair pair;
	if (slots)
		bpf_set(p->slots, &key, slots);
	free(slots);
	while (bpf_next(p->pairs, NULL, &pair) == 0)
		bpf_delete(p->pairs, &pair);
}

struct events programs_events(const struct programs *p)
{
	const uint32_t key = 0;
	struct events events = { 0 };
	struct slot *slots = calloc(p->cpus, sizeof *slots);
	if (slots && bpf_get(p->slots, &key, slots) == 0) {
		for (int cpu = 0; cpu < p->cpus; cpu++) {
			events.seen += slots[cpu].seen;
			events.left += slots[cpu].left;
			events.lost += slots[cpu].lost;
		}
	}
	free(slots);
	return events;
}

bool programs_next(const struct programs *p, const struct pair *at, struct pair *pair, struct totals *totals)
{
	struct totals *values = calloc(p->cpus, sizeof *values);
	if (!values || bpf_next(p->pairs, at, pair) < 0) {
		free(values);
		return false;
	}
	memset(totals, 0, sizeof *totals);
	if (bpf_get(p->pairs, pair, values) == 0) {
		for (int cpu = 0; cpu < p->cpus; cpu++) {
			totals->packets += values[cpu].packets;
			totals->nanos += values[cpu].nanos;
			totals->clipped += values[cpu].clipped;
			totals->bytes += values[cpu].bytes;
		}
	}
	free(values);
	return true;
}
