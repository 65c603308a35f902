/* SPDX-License-Identifier: MIT */
/* mimobox doctor: what each layer needs, whether this machine has it, and what to do if not. */
#include "commands.h"
#include "probe.h"
#include "report.h"

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print(const char *name, const struct finding *finding)
{
	bool colours = isatty(STDOUT_FILENO);
	static const struct {
		const char *name, *colour;
	} levels[] = {
		[PROBE_OK] = { "ok", "\033[32m" },
		[PROBE_WARN] = { "warn", "\033[33m" },
		[PROBE_MISSING] = { "missing", "\033[31m" },
	};
	printf("%s%-7s%s  %-16s  %s", colours ? levels[finding->level].colour : "",
	       levels[finding->level].name, colours ? "\033[0m" : "", name, finding->fact);
	if (finding->advice[0])
		printf("; %s", finding->advice);
	putchar('\n');
	(void)fflush(stdout); /* some probes fork */
}

/* 0, or 1 where something is missing. */
static int examine(struct diagnosis *diagnosis)
{
	static const struct finding programs = {
		.level = PROBE_OK, .fact = "if one does not run in a session, see " TROUBLE_PAGE
	};
	struct finding mount = { .level = PROBE_OK };
	probe_mount(&mount, diagnosis);
	print("mount", &mount);
	if (!diagnosis->mounted)
		diagnosis_check(diagnosis);
	int status = mount.level == PROBE_MISSING;
	for (const struct probe *probe = probes; probe->name; probe++) {
		struct finding finding = { .level = PROBE_OK };
		if (probe->mounts && diagnosis->mounted)
			continue;
		probe->ask(&finding, diagnosis);
		if (finding.fact[0])
			print(probe->name, &finding);
		if (finding.level == PROBE_MISSING)
			status = 1;
	}
	if (status == 0)
		print("programs", &programs);
	return status;
}

int command_doctor(int argc, char **argv)
{
	static const struct option longs[] = { { "mount", required_argument, NULL, 'm' }, { 0 } };
	const char *mount = NULL;
	int option;
	static struct diagnosis diagnosis;
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option != 'm')
			return STATUS_USAGE;
		mount = optarg;
	}
	if (optind < argc)
		return report(STATUS_USAGE, "doctor takes no names; see mimobox --help");
	if (place_find(&diagnosis.place, mount) < 0)
		return report(STATUS_CLIENT, "the name of the mount point is too long");
	return examine(&diagnosis);
}
