// SPDX-License-Identifier: Apache-2.0
// `meter list`: the BPF programs at the hooks of all interfaces of this network namespace, whoever put them there, a
// line each: `INTERFACE ingress|egress tcx|clsact NAME`. What is ours is called d0d_ingress and d0d_egress (tcx), or
// dom0-director (clsact).
#include "commands.h"
#include "hooks.h"
#include "bpf.h"
#include <net/if.h>
#include <stdio.h>
#include <stdint.h>
#include <unistd.h>

// linux/bpf.h of 6.6 and later: BPF_TCX_INGRESS, and the next one is egress.
#define D0D_TCX_INGRESS 46
enum { MOST = 64 };

static void print_program(const char *interface, const char *hook, uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr by_id = { .prog_id = id };
	int fd = bpf_call(BPF_PROG_GET_FD_BY_ID, &by_id);
	union bpf_attr by_fd = { .info = { .bpf_fd = fd, .info_len = sizeof info, .info = (uintptr_t)&info } };
	if (fd >= 0 && bpf_call(BPF_OBJ_GET_INFO_BY_FD, &by_fd) == 0)
		printf("%s %s tcx %s\n", interface, hook, info.name);
	if (fd >= 0)
		close(fd);
}

static void list_tcx(const char *interface, int index)
{
	static const char *const HOOKS[] = { "ingress", "egress" };
	for (int at = 0; at < 2; at++) {
		uint32_t ids[MOST] = { 0 };
		union bpf_attr attr = { .query = {
			.target_fd = index,
			.attach_type = D0D_TCX_INGRESS + at,
			.prog_ids = (uintptr_t)ids,
			.prog_cnt = MOST,
		} };
		if (bpf_call(BPF_PROG_QUERY, &attr) < 0)
			continue;
		for (uint32_t program = 0; program < attr.query.prog_cnt && program < MOST; program++)
			print_program(interface, HOOKS[at], ids[program]);
	}
}

int command_list(void)
{
	struct if_nameindex *all = if_nameindex();
	if (!all)
		return 1;
	for (struct if_nameindex *at = all; at->if_index != 0; at++) {
		list_tcx(at->if_name, at->if_index);
		clsact_list(at->if_name, at->if_index);
	}
	if_freenameindex(all);
	return 0;
}
