// SPDX-License-Identifier: Apache-2.0
// One for each thing that the program does; each answers an exit status.
#pragma once

int command_hooks(const char *way);
int command_baseline(const char *way);
int command_sampler(int hertz);
int command_list(void);
int command_check(const char *way);
