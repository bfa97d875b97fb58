// SPDX-License-Identifier: Apache-2.0
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_NOTES = 4096 };

struct notes {
	int count;
	struct {
		int index;
		bool added;
	} notes[MOST_NOTES];
};

static struct notes *notes;

// A signal that was meant for the whole group must not end it before its work.
static void watch(int other, void (*clear)(void))
{
	const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT };
	char byte;
	for (size_t at = 0; at < sizeof ignored / sizeof *ignored; at++)
		signal(ignored[at], SIG_IGN);
	prctl(PR_SET_NAME, "d0d-guard");
	while (read(other, &byte, 1) < 0 && errno == EINTR)
		;
	clear();
	_exit(0);
}

int guard_start(void (*clear)(void))
{
	int ends[2];
	notes = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (notes == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid > 0) {
		close(ends[1]);
		return ends[0];
	}
	// Whoever waits for the end of our output must not wait for the guard.
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(ends[0]);
	watch(ends[1], clear);
	return -1;
}

bool guard_note(int index, bool added)
{
	if (!notes)
		return true;
	for (int at = 0; at < notes->count; at++) {
		if (notes->notes[at].index != index)
			continue;
		notes->notes[at].added |= added;
		return true;
	}
	if (notes->count == MOST_NOTES) {
		errno = ENOSPC;
		return false;
	}
	notes->notes[notes->count].index = index;
	notes->notes[notes->count].added = added;
	notes->count++;
	return true;
}

void guard_each(void (*each)(int index, bool added))
{
	for (int at = 0; notes && at < notes->count; at++)
		each(notes->notes[at].index, notes->notes[at].added);
}
