/* SPDX-License-Identifier: MIT */
#include "project.h"

#include "session.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_line(FILE *to, const char *key, const char *path, const char *below)
{
	fprintf(to, "%s ", key);
	const char *const parts[] = { path, below };
	for (size_t i = 0; i < 2; i++)
		for (const char *at = parts[i]; *at; at++)
			if (*at == ':' || *at == '\\')
				fprintf(to, "\\%c", *at);
			else if ((unsigned char)*at <= ' ')
				fprintf(to, "\\%03o", (unsigned char)*at);
			else
				fputc(*at, to);
	fputc('\n', to);
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	return strncmp(path, directory, length) == 0 && (path[length] == '/' || !path[length]);
}

static void protect(FILE *to, const char *repository)
{
	static const char *const names[] = { "/hooks", "/config", "/config.worktree" };
	char path[PATH_MAX + 32];
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct stat status;
		snprintf(path, sizeof(path), "%s%s", repository, names[i]);
		if (lstat(path, &status) == 0 && !S_ISLNK(status.st_mode))
			print_line(to, "ro", repository, names[i]);
	}
}

/* The path in a file of git's, relative to `base`, as the kernel names it; false: none. */
static bool read_pointer(const char *file, const char *prefix, const char *base,
			 char out[static PATH_MAX])
{
	char path[2 * PATH_MAX + 2], *text = session_read_file(file);
	size_t length = strlen(prefix);
	bool found = text && strncmp(text, prefix, length) == 0;
	if (found) {
		text[strcspn(text, "\n")] = '\0';
		const char *value = text + length;
		snprintf(path, sizeof(path), "%s%s%s", *value == '/' ? "" : base,
			 *value == '/' ? "" : "/", value);
		found = realpath(path, out) != NULL;
	}
	free(text);
	return found;
}

/* A worktree's .git is a file that names a directory of the repository's, which is elsewhere. */
static void add_repository(FILE *to, const char *project)
{
	char git[PATH_MAX + 8], own[PATH_MAX], common[PATH_MAX], file[PATH_MAX + 16];
	struct stat status;
	snprintf(git, sizeof(git), "%s/.git", project);
	if (lstat(git, &status) < 0)
		return;
	if (S_ISDIR(status.st_mode)) {
		protect(to, git);
		return;
	}
	if (!S_ISREG(status.st_mode) || !read_pointer(git, "gitdir: ", project, own))
		return;
	snprintf(file, sizeof(file), "%s/commondir", own);
	if (!read_pointer(file, "", own, common))
		strcpy(common, own);
	if (!is_below(common, project))
		print_line(to, "overlay", common, "");
	if (!is_below(own, common) && !is_below(own, project))
		print_line(to, "overlay", own, "");
	protect(to, common);
}

char *project_config(const char *directory)
{
	char project[PATH_MAX], current[PATH_MAX], *text = NULL;
	struct stat status;
	size_t size;
	if (!realpath(directory, project) || stat(project, &status) < 0)
		return NULL;
	if (!S_ISDIR(status.st_mode)) {
		errno = ENOTDIR;
		return NULL;
	}
	FILE *to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	print_line(to, "overlay", project, "");
	add_repository(to, project);
	bool inside = getcwd(current, sizeof(current)) && is_below(current, project);
	fprintf(to, "cwd %s\n", inside ? current : project);
	if (fclose(to) == 0)
		return text;
	free(text);
	errno = ENOMEM;
	return NULL;
}
