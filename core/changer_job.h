/* SPDX-License-Identifier: MIT */
/* Of changer.h: the work of one process, which has the owner's rights. */
#ifndef CHANGER_JOB_H
#define CHANGER_JOB_H

#include "changer.h"

/* The descriptors are a socket, the directory of all changes, and the two files. */
_Noreturn void changer_job(const struct change_request *request, int reports, int base, int paths,
			   int listing);

#endif
