// SPDX-License-Identifier: Apache-2.0
#include "bench.h"
#include "action.h"
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { WORDS = 64 };
extern char **environ;

// In place; the number of words.
static int split(char *text, char *words[WORDS + 1])
{
	int count = 0;
	for (char *word = strtok(text, " "); word && count < WORDS; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	return count;
}

static int left(uint64_t deadline)
{
	uint64_t time = now();
	return time >= deadline ? 0 : (deadline - time) / 1000000 + 1;
}

// HTTP's Content-Length tells where an answer ends; without one its end is the connection's.
static int is_whole(const char *text, size_t length)
{
	const char *body = strstr(text, "\r\n\r\n"), *header = strcasestr(text, "\r\ncontent-length:");
	return body && header && header < body && length >= body + 4 - text + strtoul(header + 17, NULL, 10);
}

// 2xx of HTTP's; a server of lines is silent where all went well.
static int is_good(const char *text)
{
	if (strncmp(text, "HTTP/1.", 7) == 0)
		return text[9] == '2';
	return text[strspn(text, "\r\n ")] == 0;
}

static int connect_to(const char *words[], int count)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	int fd = -1;
	if (count == 2 && strcmp(words[0], "unix") == 0) {
		snprintf(path.sun_path, sizeof path.sun_path, "%s", words[1]);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (const void *)&path, sizeof path) == 0)
			return fd;
	} else if (count == 3) {
		struct target to = target_of(words[1], atoi(words[2]));
		fd = patient_socket(&to, SOCK_STREAM, 1000);
		if (connect(fd, &to.address.any, to.length) == 0)
			return fd;
	}
	perror("connect");
	close(fd);
	return -1;
}

static enum outcome converse(const char *words[], int count, const char *payload, uint64_t deadline, char *text,
			     size_t room)
{
	size_t length = 0, all = strlen(payload), sent = 0;
	ssize_t size = 1;
	int fd = connect_to(words, count);
	if (fd < 0)
		return REFUSED;
	while (sent < all && (size = send(fd, payload + sent, all - sent, MSG_NOSIGNAL)) > 0)
		sent += size;
	struct pollfd reading = { .fd = fd, .events = POLLIN };
	enum outcome outcome = REFUSED;
	for (text[0] = 0; length < room - 1 && !is_whole(text, length); text[length] = 0) {
		if (poll(&reading, 1, left(deadline)) == 0) {
			outcome = LATE;
			break;
		}
		size = recv(fd, text + length, room - 1 - length, 0);
		if (size <= 0)
			break;
		length += size;
	}
	close(fd);
	return outcome == LATE ? LATE : is_good(text) ? DONE : REFUSED;
}

// Standard output goes nowhere.
static pid_t start(char *words[], int input)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	int error = posix_spawnp(&pid, words[0], &files, NULL, words, environ);
	posix_spawn_file_actions_destroy(&files);
	if (error) {
		fprintf(stderr, "%s: %s\n", words[0], strerror(error));
		return -1;
	}
	return pid;
}

static enum outcome run_program(char *words[], const char *payload, uint64_t deadline)
{
	int ends[2], status = -1;
	// A socket holds more than a pipe, and whoever ends without reading kills nobody.
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	pid_t pid = start(words, ends[1]);
	close(ends[1]);
	for (size_t sent = 0, all = strlen(payload); pid > 0 && sent < all;) {
		ssize_t size = send(ends[0], payload + sent, all - sent, MSG_NOSIGNAL);
		if (size <= 0)
			break;
		sent += size;
	}
	close(ends[0]);
	if (pid < 0)
		return REFUSED;
	int handle = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ending = { .fd = handle, .events = POLLIN };
	int late = handle >= 0 && poll(&ending, 1, left(deadline)) == 0;
	if (late)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(handle);
	return late ? LATE : status == 0 ? DONE : REFUSED;
}

static enum outcome run_each(const char *payload, uint64_t deadline)
{
	char *words[WORDS + 1], *lines = strdup(payload), *rest = lines, *line;
	enum outcome outcome = DONE;
	while (outcome == DONE && (line = strsep(&rest, "\n")))
		if (split(line, words) > 0)
			outcome = run_program(words, "", deadline);
	free(lines);
	return outcome;
}

struct message {
	struct nlmsghdr head;
	struct nfgenmsg family;
	char attributes[256];
};

static void *put(struct message *message, int type, const void *value, size_t length)
{
	struct nlattr *attribute = (void *)((char *)message + NLMSG_ALIGN(message->head.nlmsg_len));
	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + length;
	if (length > 0)
		memcpy((char *)attribute + NLA_HDRLEN, value, length);
	message->head.nlmsg_len = NLMSG_ALIGN(message->head.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
	return attribute;
}

static void enclose(struct message *message, struct nlattr *outer)
{
	outer->nla_len = (char *)message + message->head.nlmsg_len - (char *)outer;
}

// IPSET_CMD_ADD or _DEL of (address, TCP port), as linux/netfilter/ipset/ip_set.h has it.
static struct message element(int command, const char *set, uint32_t address, uint16_t port)
{
	const uint8_t protocol = IPSET_PROTOCOL, tcp = IPPROTO_TCP;
	struct message message = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
					     .nlmsg_type = NFNL_SUBSYS_IPSET << 8 | command,
					     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
				   .family = { .nfgen_family = AF_INET } };
	put(&message, IPSET_ATTR_PROTOCOL, &protocol, sizeof protocol);
	put(&message, IPSET_ATTR_SETNAME, set, strlen(set) + 1);
	struct nlattr *data = put(&message, IPSET_ATTR_DATA | NLA_F_NESTED, NULL, 0);
	struct nlattr *ip = put(&message, IPSET_ATTR_IP | NLA_F_NESTED, NULL, 0);
	put(&message, IPSET_ATTR_IPADDR_IPV4 | NLA_F_NET_BYTEORDER, &address, sizeof address);
	enclose(&message, ip);
	put(&message, IPSET_ATTR_PORT | NLA_F_NET_BYTEORDER, &port, sizeof port);
	put(&message, IPSET_ATTR_PROTO, &tcp, sizeof tcp);
	enclose(&message, data);
	return message;
}

static enum outcome tell_kernel(const char *payload)
{
	static int netlink = -1;
	char verb[4], set[32], address[INET_ADDRSTRLEN], text[8192];
	int port, used;
	if (netlink < 0 && (netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)) < 0)
		die("netlink");
	for (; sscanf(payload, "%3s %31s %15s %d\n%n", verb, set, address, &port, &used) == 4; payload += used) {
		int command = strcmp(verb, "add") == 0 ? IPSET_CMD_ADD : IPSET_CMD_DEL;
		struct message message = element(command, set, inet_addr(address), htons(port));
		if (send(netlink, &message, message.head.nlmsg_len, 0) < 0 || recv(netlink, text, sizeof text, 0) < 0)
			die("netlink");
		const struct nlmsgerr *told = NLMSG_DATA((struct nlmsghdr *)text);
		if (told->error != 0) {
			fprintf(stderr, "ipset %s %s: error %d\n", verb, address, -told->error);
			return REFUSED;
		}
	}
	return DONE;
}

void act(const char *how, const char *payload, long limit, struct answer *answer)
{
	char copy[4096], *words[WORDS + 1];
	snprintf(copy, sizeof copy, "%s", how);
	int count = split(copy, words);
	answer->text[0] = 0;
	answer->asked = now();
	uint64_t deadline = answer->asked + limit * 1000000ULL;
	if (strcmp(words[0], "ipset") == 0)
		answer->outcome = tell_kernel(payload);
	else if (strcmp(words[0], "each") == 0)
		answer->outcome = run_each(payload, deadline);
	else if (strcmp(words[0], "pipe") == 0)
		answer->outcome = run_program(words + 1, payload, deadline);
	else
		answer->outcome = converse((const char **)words, count, payload, deadline, answer->text,
					   sizeof answer->text);
	answer->answered = now();
}
