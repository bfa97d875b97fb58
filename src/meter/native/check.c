// SPDX-License-Identifier: Apache-2.0
// `meter check [auto|tcx|clsact]`: what `meter hooks` could do on this kernel. Tried on the loopback of a network namespace of its own,
// so that no packet passes, and no filter of a director that runs is taken for one that was left.
//
// One line: `ready tcx|clsact softirq` or `ready tcx|clsact nosoftirq REASON`; or `refused REASON`.
#define _GNU_SOURCE
#include "commands.h"
#include "hooks.h"
#include "softirq.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

// Every network namespace's first link.
#define LOOPBACK 1

static int refuse(const char *what)
{
	printf("refused %s: %s\n", what, strerror(errno));
	return 1;
}

// For a moment.
static const char *try_softirqs(void)
{
	const char *why = softirq_open();
	if (!why)
		why = softirq_start();
	softirq_stop();
	return why;
}

int command_check(const char *way)
{
	static struct programs programs;
	static struct hooks hooks = { .programs = &programs };
	const char *what;
	if (programs_load(&programs, &what) < 0)
		return refuse(what);
	if (unshare(CLONE_NEWNET) < 0)
		return refuse("a network namespace");
	if (!hooks_choose(&hooks, way) || hooks_attach(&hooks, LOOPBACK) < 0)
		return refuse("a hook");
	hooks_detach_all(&hooks);
	const char *why = try_softirqs();
	printf("ready %s %s%s\n", hooks.way == TCX ? "tcx" : "clsact", why ? "nosoftirq " : "softirq", why ? why : "");
	return 0;
}
