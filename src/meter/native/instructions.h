// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// BPF instructions as C initialisers (RFC 9669), one macro for each kind that our programs use.
#pragma once
#include <linux/bpf.h>

#define R(n) BPF_REG_##n
#define FP BPF_REG_10

#define INSN(CODE, DST, SRC, OFF, IMM) \
	{ .code = (CODE), .dst_reg = (DST), .src_reg = (SRC), .off = (OFF), .imm = (IMM) }

// dst = src; dst = number; dst op= src; dst op= number. 64 bits wide.
#define MOV(DST, SRC) INSN(BPF_ALU64 | BPF_MOV | BPF_X, DST, SRC, 0, 0)
#define MOV_IMM(DST, IMM) INSN(BPF_ALU64 | BPF_MOV | BPF_K, DST, 0, 0, IMM)
#define ADD(DST, SRC) INSN(BPF_ALU64 | BPF_ADD | BPF_X, DST, SRC, 0, 0)
#define ADD_IMM(DST, IMM) INSN(BPF_ALU64 | BPF_ADD | BPF_K, DST, 0, 0, IMM)
#define SUB(DST, SRC) INSN(BPF_ALU64 | BPF_SUB | BPF_X, DST, SRC, 0, 0)

// dst = *(u32 or u64 *)(src + off); *(u32 or u64 *)(dst + off) = src; the same with a number.
#define LOAD32(DST, SRC, OFF) INSN(BPF_LDX | BPF_MEM | BPF_W, DST, SRC, OFF, 0)
#define LOAD64(DST, SRC, OFF) INSN(BPF_LDX | BPF_MEM | BPF_DW, DST, SRC, OFF, 0)
#define STORE32(DST, OFF, SRC) INSN(BPF_STX | BPF_MEM | BPF_W, DST, SRC, OFF, 0)
#define STORE64(DST, OFF, SRC) INSN(BPF_STX | BPF_MEM | BPF_DW, DST, SRC, OFF, 0)
#define STORE32_IMM(DST, OFF, IMM) INSN(BPF_ST | BPF_MEM | BPF_W, DST, 0, OFF, IMM)
#define STORE64_IMM(DST, OFF, IMM) INSN(BPF_ST | BPF_MEM | BPF_DW, DST, 0, OFF, IMM)

// Two instructions each: the map itself, and the address of an array's only value (Linux 5.2).
#define LOAD_MAP(DST, FD) INSN(BPF_LD | BPF_DW | BPF_IMM, DST, BPF_PSEUDO_MAP_FD, 0, FD), INSN(0, 0, 0, 0, 0)
#define LOAD_MAP_VALUE(DST, FD) INSN(BPF_LD | BPF_DW | BPF_IMM, DST, BPF_PSEUDO_MAP_VALUE, 0, FD), INSN(0, 0, 0, 0, 0)

// A place to jump to, which is no instruction itself: bpf_program() takes it out and turns labels into distances.
#define LABEL_CODE 0xe5
#define LABEL(NAME) INSN(LABEL_CODE, 0, 0, 0, NAME)
#define JUMP(NAME) INSN(BPF_JMP | BPF_JA, 0, 0, NAME, 0)
#define JUMP_IF_EQ_IMM(DST, IMM, NAME) INSN(BPF_JMP | BPF_JEQ | BPF_K, DST, 0, NAME, IMM)
#define JUMP_IF_NE_IMM(DST, IMM, NAME) INSN(BPF_JMP | BPF_JNE | BPF_K, DST, 0, NAME, IMM)
#define JUMP_IF_NE(DST, SRC, NAME) INSN(BPF_JMP | BPF_JNE | BPF_X, DST, SRC, NAME, 0)
#define JUMP_IF_GT_IMM(DST, IMM, NAME) INSN(BPF_JMP | BPF_JGT | BPF_K, DST, 0, NAME, IMM)

#define CALL(HELPER) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, HELPER)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
