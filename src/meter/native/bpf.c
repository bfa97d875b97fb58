// SPDX-License-Identifier: Apache-2.0
#include "bpf.h"
#include "instructions.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int bpf_call(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof *attr);
}

static uint64_t pointer(const void *to)
{
	return (uintptr_t)to;
}

int bpf_map(const char *name, enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries)
{
	union bpf_attr attr = { .map_type = type, .key_size = key, .value_size = value, .max_entries = entries };
	strncpy(attr.map_name, name, sizeof attr.map_name - 1);
	return bpf_call(BPF_MAP_CREATE, &attr);
}

enum { MOST_LABELS = 8 };

static bool jumps_to_label(const struct bpf_insn *insn)
{
	uint8_t operation = BPF_OP(insn->code);
	return BPF_CLASS(insn->code) == BPF_JMP && operation != BPF_CALL && operation != BPF_EXIT;
}

// Takes labels out of `insns` and turns jumps to them into distances; answers how many instructions are left.
static size_t resolve(struct bpf_insn *insns, size_t count)
{
	size_t places[MOST_LABELS] = { 0 }, kept = 0;
	for (size_t at = 0; at < count; at++) {
		if (insns[at].code == LABEL_CODE)
			places[insns[at].imm] = kept;
		else
			insns[kept++] = insns[at];
	}
	for (size_t at = 0; at < kept; at++) {
		if (jumps_to_label(&insns[at]))
			insns[at].off = (int)places[insns[at].off] - (int)at - 1;
	}
	return kept;
}

// bpf_ktime_get_ns() is for programs under the GPL; ours may be used under it (programs.c).
int bpf_program(enum bpf_prog_type type, const char *name, struct bpf_insn *insns, size_t count)
{
	union bpf_attr attr = {
		.prog_type = type,
		.insns = pointer(insns),
		.insn_cnt = resolve(insns, count),
		.license = pointer("GPL"),
	};
	strncpy(attr.prog_name, name, sizeof attr.prog_name - 1);
	return bpf_call(BPF_PROG_LOAD, &attr);
}

int bpf_tracepoint(const char *name, int program)
{
	union bpf_attr attr = { .raw_tracepoint = { .name = pointer(name), .prog_fd = program } };
	return bpf_call(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

int bpf_get(int map, const void *key, void *value)
{
	union bpf_attr attr = { .map_fd = map, .key = pointer(key), .value = pointer(value) };
	return bpf_call(BPF_MAP_LOOKUP_ELEM, &attr);
}

int bpf_set(int map, const void *key, const void *value)
{
	union bpf_attr attr = { .map_fd = map, .key = pointer(key), .value = pointer(value) };
	return bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
}

int bpf_delete(int map, const void *key)
{
	union bpf_attr attr = { .map_fd = map, .key = pointer(key) };
	return bpf_call(BPF_MAP_DELETE_ELEM, &attr);
}

int bpf_next(int map, const void *key, void *next)
{
	union bpf_attr attr = { .map_fd = map, .key = pointer(key), .next_key = pointer(next) };
	return bpf_call(BPF_MAP_GET_NEXT_KEY, &attr);
}

uint32_t bpf_cost(int program, uint32_t repeat)
{
	char packet[64] = { 0 };
	struct __sk_buff context = { .ingress_ifindex = 1, .ifindex = 1 };
	union bpf_attr attr = { .test = {
		.prog_fd = program,
		.repeat = repeat,
		.data_in = pointer(packet),
		.data_size_in = sizeof packet,
		.ctx_in = pointer(&context),
		.ctx_size_in = sizeof context,
	} };
	return bpf_call(BPF_PROG_TEST_RUN, &attr) < 0 ? 0 : attr.test.duration;
}

// The last number of "0-3" and the like (Documentation/admin-guide/cputopology.rst), and one more.
int possible_cpus(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/possible", "r");
	int cpu = -1, last = -1;
	if (!file)
		return sysconf(_SC_NPROCESSORS_CONF);
	while (fscanf(file, "%d%*[-,]", &cpu) == 1)
		last = cpu;
	fclose(file);
	return last < 0 ? sysconf(_SC_NPROCESSORS_CONF) : last + 1;
}
