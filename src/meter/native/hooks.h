// SPDX-License-Identifier: Apache-2.0
// Where the programs hang: at ingress and egress of ports, by tcx links (Linux 6.6) or by filters of a clsact qdisc.
#pragma once
#include "programs.h"
#include <stdbool.h>
#include <stddef.h>

enum way { TCX, CLSACT };
enum { MOST_PORTS = 1024 };

struct hooks {
	enum way way;
	const struct programs *programs;
	size_t count;
	struct port {
		int index;
		int links[2]; // tcx: ingress and egress
	} ports[MOST_PORTS];
};

// Whether this kernel knows tcx. Tried on an interface that cannot be: which is refused first tells it.
bool tcx_known(const struct programs *programs);

// `wanted`: tcx, clsact, or auto, which is tcx where the kernel has it. False where tcx is wanted and is not there.
bool hooks_choose(struct hooks *hooks, const char *wanted);

// 0, or -1 with errno: ENODEV where there is no such port (any more), ENOSPC where there are too many.
int hooks_attach(struct hooks *hooks, int index);
void hooks_detach(struct hooks *hooks, size_t at);
void hooks_detach_all(struct hooks *hooks);

// clsact. A port gets a qdisc where it has none; it is taken away by clsact_leave() only where it was added by us and
// nobody else has put a filter into it. Filters are ours by their name.
int clsact_attach(const struct programs *programs, int index);
void clsact_detach(int index);
// Qdiscs that we added. Call it when all is over.
void clsact_leave(void);
// Removes filters of ours that a former run has left on any interface.
void clsact_sweep(void);
// Prints filters of ours on an interface (list.c).
void clsact_list(const char *name, int index);
