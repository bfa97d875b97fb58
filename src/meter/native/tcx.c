// SPDX-License-Identifier: Apache-2.0
#include "hooks.h"
#include "bpf.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

// linux/bpf.h of 6.6 and later.
#define D0D_TCX_INGRESS 46
#define D0D_TCX_EGRESS 47
#define D0D_F_BEFORE (1U << 3)

// First in line: a program before ours may end a packet's way, or send it on without asking the others.
static int link_program(int program, int index, int type)
{
	union bpf_attr attr = { .link_create = {
		.prog_fd = program,
		.target_ifindex = index,
		.attach_type = type,
		.flags = D0D_F_BEFORE,
	} };
	return bpf_call(BPF_LINK_CREATE, &attr);
}

bool tcx_known(const struct programs *programs)
{
	int fd = link_program(programs->ingress, 0x7fffffff, D0D_TCX_INGRESS);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == ENODEV;
}

bool hooks_choose(struct hooks *hooks, const char *wanted)
{
	bool tcx = strcmp(wanted, "clsact") != 0 && tcx_known(hooks->programs);
	hooks->way = tcx ? TCX : CLSACT;
	return tcx || strcmp(wanted, "tcx") != 0;
}

static int tcx_attach(const struct programs *programs, struct port *port)
{
	port->links[0] = link_program(programs->ingress, port->index, D0D_TCX_INGRESS);
	if (port->links[0] < 0)
		return -1;
	port->links[1] = link_program(programs->egress, port->index, D0D_TCX_EGRESS);
	if (port->links[1] >= 0)
		return 0;
	int error = errno;
	close(port->links[0]);
	errno = error;
	return -1;
}

int hooks_attach(struct hooks *hooks, int index)
{
	if (hooks->count == MOST_PORTS) {
		errno = ENOSPC;
		return -1;
	}
	struct port *port = &hooks->ports[hooks->count];
	*port = (struct port){ .index = index, .links = { -1, -1 } };
	int result = hooks->way == TCX ? tcx_attach(hooks->programs, port) : clsact_attach(hooks->programs, index);
	if (result == 0)
		hooks->count++;
	return result;
}

void hooks_detach(struct hooks *hooks, size_t at)
{
	struct port *port = &hooks->ports[at];
	if (hooks->way == CLSACT)
		clsact_detach(port->index);
	for (int i = 0; i < 2; i++) {
		if (port->links[i] >= 0)
			close(port->links[i]);
	}
	*port = hooks->ports[--hooks->count];
}

void hooks_detach_all(struct hooks *hooks)
{
	while (hooks->count > 0)
		hooks_detach(hooks, hooks->count - 1);
}
