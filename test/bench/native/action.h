// SPDX-License-Identifier: Apache-2.0
// One request to change where clients are sent, as whoever does it would make it.
#ifndef ACTION_H
#define ACTION_H
#include <stdint.h>

enum outcome { DONE, REFUSED, LATE };
struct answer {
	enum outcome outcome;
	uint64_t asked, answered;
	// What was answered, as far as there is room; a program's standard error goes to ours.
	char text[65536];
};

// how: "unix PATH", "tcp ADDRESS PORT": `payload` is sent, and an answer of HTTP's, or of lines, is read;
// "pipe ARGV...": a program that has `payload` on its standard input; "each": every line of it is a program's argv;
// "ipset": every line of it is "add|del SET ADDRESS PORT", a message to the kernel from this process.
// Whatever takes longer than `limit` milliseconds is given up, and late.
void act(const char *how, const char *payload, long limit, struct answer *answer);
#endif
