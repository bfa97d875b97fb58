// SPDX-License-Identifier: Apache-2.0
// `meter sampler [HERTZ]`: stops every CPU so many times a second of its own working time, looks at the kernel's call
// chain, and tells what it was at by the functions' names. No BPF, only perf_event_open(2) and /proc/kallsyms.
//
// First line: `ready NANOS`, what one sample stands for, or `refused REASON`. Each line on standard input is answered by
// `samples ALL FORWARDED ROUTED LOST`, all since the beginning: ROUTED at IP's forwarding, FORWARDED with bridging too.
#define _GNU_SOURCE
#include "commands.h"
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BRIDGE = 1, IP = 2, LOCAL = 4, SENDING = 8, SOFTIRQ = 16 };
enum { PAGES = 64, DEEPEST = 64, MOST_CPUS = 1024, LINE = 512 };

// `any`: and all that begin so.
static const struct rule {
	const char *name;
	bool any;
	int kind;
} RULES[] = {
	{ "br_handle_frame", true, BRIDGE },
	{ "br_pass_frame_up", false, BRIDGE },
	{ "br_netif_receive_skb", false, BRIDGE },
	{ "br_forward", true, BRIDGE },
	{ "__br_forward", false, BRIDGE },
	{ "br_dev_queue_push_xmit", false, BRIDGE },
	{ "br_flood", false, BRIDGE },
	{ "br_dev_xmit", false, BRIDGE | SENDING },
	{ "ip_rcv", true, IP },
	{ "ip_list_rcv", true, IP },
	{ "ip_sublist_rcv", true, IP },
	{ "ip_route_input", true, IP },
	{ "ip_forward", true, IP },
	{ "ip_output", false, IP },
	{ "ip_finish_output", true, IP },
	{ "__ip_finish_output", false, IP },
	{ "ipv6_rcv", true, IP },
	{ "ipv6_list_rcv", true, IP },
	{ "ip6_sublist_rcv", true, IP },
	{ "ip6_rcv_finish", true, IP },
	{ "ip6_route_input", true, IP },
	{ "ip6_forward", true, IP },
	{ "ip6_output", false, IP },
	{ "ip6_finish_output", true, IP },
	{ "__ip6_finish_output", false, IP },
	{ "ip_local_deliver", true, LOCAL },
	{ "ip_local_out", false, LOCAL },
	{ "__ip_local_out", false, LOCAL },
	{ "ip_queue_xmit", false, LOCAL },
	{ "__ip_queue_xmit", false, LOCAL },
	{ "ip_send_skb", false, LOCAL },
	{ "ip_protocol_deliver_rcu", false, LOCAL },
	{ "ip6_input", true, LOCAL },
	{ "ip6_local_out", false, LOCAL },
	{ "ip6_xmit", false, LOCAL },
	{ "ip6_send_skb", false, LOCAL },
	{ "ip6_protocol_deliver_rcu", false, LOCAL },
	{ "dev_hard_start_xmit", false, SENDING },
	{ "sch_direct_xmit", false, SENDING },
	{ "handle_softirqs", false, SOFTIRQ },
	{ "__do_softirq", false, SOFTIRQ },
};

// Where a function of another kind than the one before begins; a few hundred of all symbols.
static struct symbol {
	uint64_t address;
	int kind;
} *symbols;
static size_t symbol_count;

static struct counts {
	unsigned long long all, forwarded, routed, lost;
} counts;

static int kind_of_name(const char *name)
{
	int kind = 0;
	for (size_t at = 0; at < sizeof RULES / sizeof *RULES; at++) {
		size_t length = strlen(RULES[at].name);
		if (strncmp(name, RULES[at].name, length) == 0 && (RULES[at].any || name[length] == 0 || name[length] == '.'))
			kind |= RULES[at].kind;
	}
	return kind;
}

static int by_address(const void *a, const void *b)
{
	uint64_t one = ((const struct symbol *)a)->address, other = ((const struct symbol *)b)->address;
	return one < other ? -1 : one > other;
}

static bool read_symbols(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[LINE], name[LINE], type;
	unsigned long long address;
	size_t room = 0, kept = 0;
	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "%llx %c %511s", &address, &type, name) != 3 || !strchr("tTwW", type) || address == 0)
			continue;
		if (symbol_count == room) {
			room = room ? room * 2 : 1 << 16;
			symbols = realloc(symbols, room * sizeof *symbols);
			if (!symbols)
				return false;
		}
		symbols[symbol_count++] = (struct symbol){ address, kind_of_name(name) };
	}
	if (file)
		fclose(file);
	qsort(symbols, symbol_count, sizeof *symbols, by_address);
	for (size_t at = 0; at < symbol_count; at++) {
		if (kept == 0 || symbols[at].kind != symbols[kept - 1].kind)
			symbols[kept++] = symbols[at];
	}
	symbol_count = kept;
	return kept > 1;
}

static int kind_of(uint64_t address)
{
	size_t low = 0, high = symbol_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? 0 : symbols[low - 1].kind;
}

// Innermost first. What stands outside of the softirq is whoever was interrupted, often the sender itself.
static void classify(const uint64_t *chain, uint64_t depth)
{
	int kinds = 0;
	for (uint64_t at = 0; at < depth && !(kinds & SOFTIRQ); at++) {
		// Values this large are marks between contexts (PERF_CONTEXT_KERNEL and the like).
		if (chain[at] < (uint64_t)PERF_CONTEXT_MAX)
			kinds |= kind_of(chain[at]);
	}
	bool routed = (kinds & IP) && !(kinds & LOCAL) && !(kinds & SENDING);
	counts.all++;
	if (!(kinds & SOFTIRQ))
		return;
	counts.routed += routed;
	counts.forwarded += routed || (kinds & BRIDGE);
}

static struct ring {
	struct perf_event_mmap_page *page;
	size_t size;
} rings[MOST_CPUS];
static struct pollfd events[1];
static int cpu_count;

static void drain(struct ring *ring)
{
	static uint64_t record[8192];
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE), tail = ring->page->data_tail;
	const char *data = (const char *)ring->page + getpagesize();
	while (tail < head) {
		uint64_t at = tail % ring->size;
		const struct perf_event_header *header = (const void *)(data + at);
		uint64_t size = header->size, first = ring->size - at < size ? ring->size - at : size;
		if (size == 0 || size > sizeof record)
			break;
		memcpy(record, data + at, first);
		memcpy((char *)record + first, data, size - first);
		header = (const void *)record;
		if (header->type == PERF_RECORD_SAMPLE)
			classify(record + 2, record[1]);
		else if (header->type == PERF_RECORD_LOST)
			counts.lost += record[2];
		tail += size;
	}
	__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}

static bool open_cpu(int cpu, uint64_t period)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof attr,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = period,
		.sample_type = PERF_SAMPLE_CALLCHAIN,
		.exclude_user = 1,
		.exclude_hv = 1,
		.exclude_idle = 1,
		.exclude_callchain_user = 1,
		.sample_max_stack = DEEPEST,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return errno == ENODEV; // the CPU is off
	struct ring *ring = &rings[cpu_count];
	ring->size = (size_t)PAGES * getpagesize();
	ring->page = mmap(NULL, ring->size + getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring->page == MAP_FAILED)
		return false;
	cpu_count++;
	return true;
}

int command_sampler(int hertz)
{
	uint64_t period = 1000000000ULL / (hertz > 0 ? hertz : 97);
	char line[LINE];
	if (!read_symbols()) {
		printf("refused /proc/kallsyms hides the kernel's addresses\n");
		return 1;
	}
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF) && cpu < MOST_CPUS; cpu++) {
		if (open_cpu(cpu, period))
			continue;
		printf("refused perf_event_open: %s\n", strerror(errno));
		return 1;
	}
	printf("ready %llu\n", (unsigned long long)period);
	fflush(stdout);
	setvbuf(stdin, NULL, _IONBF, 0);
	events[0] = (struct pollfd){ .fd = 0, .events = POLLIN };
	for (;;) {
		int asked = poll(events, 1, 1000);
		for (int cpu = 0; cpu < cpu_count; cpu++)
			drain(&rings[cpu]);
		if (asked <= 0)
			continue;
		if (!fgets(line, sizeof line, stdin))
			return 0;
		printf("samples %llu %llu %llu %llu\n", counts.all, counts.forwarded, counts.routed, counts.lost);
		fflush(stdout);
	}
}
