/* SPDX-License-Identifier: MIT */
/* How the client ends when its command has. */
#ifndef ENDING_H
#define ENDING_H

/* Dies by the signal, without a core dump of its own. */
_Noreturn void ending_by_signal(int number);
/* The exit status, or minus the signal: returns the first, dies by the second. */
int ending_as(int status);

#endif
