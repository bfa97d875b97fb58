// SPDX-License-Identifier: Apache-2.0
// A process that outlives this one by a moment, to clear up what the kernel would keep.
#pragma once
#include <stdbool.h>

// Starts it. Answers a descriptor that can be read from (its end) when the guard is gone, -1 with errno on failure.
int guard_start(void (*clear)(void));
// Remembers an interface, and whether its qdisc was added by us, in memory that both processes see.
// False with errno ENOSPC where there are too many. Without a guard nothing is remembered: what is hooked goes with its
// network namespace.
bool guard_note(int index, bool added);
void guard_each(void (*each)(int index, bool added));
