/*
 * What a DomU of the rig serves: the same words as the lab's server (src/lab/server.ts), from a program small enough for
 * an emulated guest. `greeter NAME VERSION`; it ends only with the guest.
 * TCP 25 80 389 636 993 8080: "NAME VERSION you are ADDRESS", then "NAME: LINE" for each line; "quit" ends it.
 * TCP 8000-8009: "NAME VERSION", and closes. UDP 389 514: "NAME VERSION you are ADDRESS PAYLOAD".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { CONVERSES, IS_BRIEF, DATAGRAMS, CONVERSATION };

struct place {
  enum kind kind;
  char said[256];
  size_t length;
};

static struct pollfd polled[512];
static struct place places[512];
static nfds_t count;
static const char *name, *version;

static void keep(int fd, enum kind kind) {
  if (count == sizeof polled / sizeof *polled) {
    close(fd);
    return;
  }
  polled[count] = (struct pollfd){.fd = fd, .events = POLLIN};
  places[count++] = (struct place){.kind = kind};
}

static void forget(nfds_t at) {
  close(polled[at].fd);
  polled[at] = polled[--count];
  places[at] = places[count];
}

static void must(int done, const char *what) {
  if (done >= 0) return;
  perror(what);
  exit(1);
}

/* Each family has a socket of its own, so that an IPv4 client is not shown as ::ffff:... */
static void serve(int family, int type, int port, enum kind kind) {
  int fd = socket(family, type | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in six_less = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  must(fd, "socket");
  must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  if (family == AF_INET6) must(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), "IPV6_V6ONLY");
  if (family == AF_INET) must(bind(fd, (struct sockaddr *)&six_less, sizeof six_less), "bind");
  else must(bind(fd, (struct sockaddr *)&six, sizeof six), "bind");
  if (type == SOCK_STREAM) must(listen(fd, 1024), "listen");
  keep(fd, kind);
}

static const char *shown(const struct sockaddr_storage *whom) {
  static char text[INET6_ADDRSTRLEN];
  const void *address = whom->ss_family == AF_INET ? (void *)&((struct sockaddr_in *)whom)->sin_addr
                                                   : (void *)&((struct sockaddr_in6 *)whom)->sin6_addr;
  return inet_ntop(whom->ss_family, address, text, sizeof text);
}

static void greet(int fd, enum kind kind) {
  struct sockaddr_storage whom;
  socklen_t size = sizeof whom;
  int client = accept4(fd, (struct sockaddr *)&whom, &size, SOCK_NONBLOCK);
  if (client < 0) return;
  if (kind == IS_BRIEF) {
    dprintf(client, "%s %s\n", name, version);
    close(client);
    return;
  }
  dprintf(client, "%s %s you are %s\n", name, version, shown(&whom));
  keep(client, CONVERSATION);
}

static void answer(int fd) {
  struct sockaddr_storage whom;
  socklen_t size = sizeof whom;
  char payload[1024], text[1400];
  ssize_t got = recvfrom(fd, payload, sizeof payload - 1, 0, (struct sockaddr *)&whom, &size);
  if (got < 0) return;
  payload[got] = '\0';
  int length = snprintf(text, sizeof text, "%s %s you are %s %s", name, version, shown(&whom), payload);
  sendto(fd, text, (size_t)length, 0, (struct sockaddr *)&whom, size);
}

/* Answers each whole line; false when the conversation is over. */
static int converse(int fd, struct place *place) {
  ssize_t got = read(fd, place->said + place->length, sizeof place->said - 1 - place->length);
  if (got <= 0) return 0;
  place->length += (size_t)got;
  place->said[place->length] = '\0';
  char *line = place->said, *end;
  while ((end = strchr(line, '\n')) != NULL) {
    *end = '\0';
    if (strcmp(line, "quit") == 0) return 0;
    dprintf(fd, "%s: %s\n", name, line);
    line = end + 1;
  }
  place->length = strlen(line);
  memmove(place->said, line, place->length + 1);
  return place->length < sizeof place->said - 1;
}

int main(int argc, char **argv) {
  static const int conversing[] = {25, 80, 389, 636, 993, 8080}, datagrams[] = {389, 514};
  if (argc != 3) return 2;
  name = argv[1];
  version = argv[2];
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < 2; i++) {
    int family = i == 0 ? AF_INET : AF_INET6;
    for (size_t p = 0; p < sizeof conversing / sizeof *conversing; p++)
      serve(family, SOCK_STREAM, conversing[p], CONVERSES);
    for (int port = 8000; port < 8010; port++) serve(family, SOCK_STREAM, port, IS_BRIEF);
    for (size_t p = 0; p < sizeof datagrams / sizeof *datagrams; p++)
      serve(family, SOCK_DGRAM, datagrams[p], DATAGRAMS);
  }
  printf("%s is up\n", name);
  fflush(stdout);
  while (poll(polled, count, -1) >= 0) {
    for (nfds_t at = count; at-- > 0;) {
      if (polled[at].revents == 0) continue;
      polled[at].revents = 0;
      if (places[at].kind == DATAGRAMS) answer(polled[at].fd);
      else if (places[at].kind != CONVERSATION) greet(polled[at].fd, places[at].kind);
      else if (!converse(polled[at].fd, &places[at])) forget(at);
    }
  }
  return 1;
}
