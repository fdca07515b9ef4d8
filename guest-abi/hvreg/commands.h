/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvreg's commands. Each gets its own name as argv[0] and returns the exit
 * status, or does not return.
 */
#ifndef HVREG_COMMANDS_H
#define HVREG_COMMANDS_H

int run_command(int argc, char **argv);
int measure_command(int argc, char **argv);
int manifest_command(int argc, char **argv);
int ps_command(int argc, char **argv);
int status_command(int argc, char **argv);
int log_command(int argc, char **argv);
int platform_command(int argc, char **argv);
int seal_command(int argc, char **argv);
int unseal_command(int argc, char **argv);

/*
 * No command of users: what a protected program becomes by execve, as `variable` says, the value of
 * CARREL_EXEC. `name` is for comm.
 */
_Noreturn void exec_command(const char *variable, const char *name);

#endif
