// SPDX-License-Identifier: Apache-2.0
// bpf(2) without a library.
#pragma once
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

// Each answers a file descriptor or 0, or -1 with errno.
int bpf_call(int command, union bpf_attr *attr);
int bpf_map(const char *name, enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries);
// Resolves the labels among `insns` (instructions.h) in place.
int bpf_program(enum bpf_prog_type type, const char *name, struct bpf_insn *insns, size_t count);
// Calls a program at a tracepoint (linux/tracepoint.h) until the descriptor is closed.
int bpf_tracepoint(const char *name, int program);
int bpf_get(int map, const void *key, void *value);
int bpf_set(int map, const void *key, const void *value);
int bpf_delete(int map, const void *key);
// `key` null: the first one. -1 with ENOENT after the last.
int bpf_next(int map, const void *key, void *next);
// Mean nanoseconds of a run of a program on a packet that came in by interface 1; 0 where the kernel does not tell.
uint32_t bpf_cost(int program, uint32_t repeat);
// How many values a per-CPU map has for each key.
int possible_cpus(void);
