/* SPDX-License-Identifier: MIT */
/*
 * A seccomp program run by hand, so that tests can put millions of calls to it. Only what
 * libseccomp emits is understood; the instruction count comes with the answer.
 */
#ifndef BPF_H
#define BPF_H

#include <criterion/criterion.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "sysfilter.h"

#if defined(__x86_64__)
#define BPF_ARCH AUDIT_ARCH_X86_64
#else
#define BPF_ARCH AUDIT_ARCH_AARCH64
#endif

struct bpf_answer {
	__u32 action;
	unsigned steps;
};

static inline struct bpf_answer bpf_run(const struct sysfilter *filter,
					const struct seccomp_data *call)
{
	struct bpf_answer answer = { SECCOMP_RET_KILL_PROCESS, 0 };
	__u32 a = 0;

	for (unsigned at = 0; at < filter->length; at++) {
		const struct sock_filter *i = &filter->code[at];
		bool jump = false;

		answer.steps++;
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			cr_assert_leq(i->k, sizeof(*call) - sizeof(a));
			memcpy(&a, (const char *)call + i->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_RET | BPF_K:
			answer.action = i->k;
			return answer;
		case BPF_JMP | BPF_JA:
			at += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jump = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			jump = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			jump = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			jump = (a & i->k) != 0;
			break;
		default:
			cr_assert_fail("instruction 0x%x at %u", i->code, at);
		}
		at += jump ? i->jt : i->jf;
	}
	cr_assert_fail("the program runs past its end");
	return answer;
}

#endif
