// SPDX-License-Identifier: Apache-2.0
// The meter's native helper: what Node cannot ask of the kernel itself. A child of the daemon, or of nobody.
#include "commands.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int count, char **words)
{
	const char *command = count > 1 ? words[1] : "";
	const char *way = count > 2 ? words[2] : "auto";
	// Writing to nobody is found out by reading: the guard must be told in order.
	signal(SIGPIPE, SIG_IGN);
	// Meant for the daemon, whose group this is in: it ends us by our input, when it has ended itself.
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	// Kernels before 5.11 charge maps to it.
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	if (strcmp(command, "hooks") == 0)
		return command_hooks(way);
	if (strcmp(command, "baseline") == 0)
		return command_baseline(way);
	if (strcmp(command, "sampler") == 0)
		return command_sampler(count > 2 ? atoi(words[2]) : 97);
	if (strcmp(command, "list") == 0)
		return command_list();
	if (strcmp(command, "check") == 0)
		return command_check(way);
	fprintf(stderr,
		"usage: meter hooks|baseline|check [auto|tcx|clsact] | meter sampler [HERTZ] | meter list\n");
	return 2;
}
