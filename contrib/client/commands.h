/* SPDX-License-Identifier: MIT */
/*
 * The verbs of the command line, each in the file of its name. argv[0] is the verb itself; what is
 * returned is the exit status. One that is to die by a signal, as its command did, does not return.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

int command_run(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_attach(int argc, char **argv);
int command_status(int argc, char **argv);
int command_list(int argc, char **argv);
int command_remove(int argc, char **argv);
int command_forward(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_apply(int argc, char **argv);
int command_discard(int argc, char **argv);

#endif
