/* SPDX-License-Identifier: MIT */
/* Completion, by the shells themselves; session names come from a real mount. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

/* A `mimobox` on the PATH, in a directory of the fixture's. */
static void completion_start(void)
{
	fixture_start();
	setenv("MIMOBOX", fixture.mount, 1);
	unsetenv("XDG_RUNTIME_DIR");
	setenv("C", getenv("CLIENT"), 1);
	sh("mkdir $M/../bin; ln -s $C $M/../bin/mimobox");
	setenv("PATH", text("%s/bin:%s", fixture.dir, getenv("PATH")), 1);
	setenv("HOME", fixture.dir, 1);
	session_make("able");
	session_make("baker");
}

TestSuite(completion, .init = completion_start, .fini = fixture_stop, .timeout = 60);

/* What is typed, and what is offered: these words among others, or these alone. */
static const struct {
	const char *line, *offered;
	bool alone;
} cases[] = {
	{ "mimobox ", "run exec attach ls status diff apply discard rm forward doctor", false },
	{ "mimobox at", "attach", true },
	{ "mimobox attach ", "able baker", true },
	{ "mimobox rm b", "baker", true },
	{ "mimobox rm able b", "baker", true },
	{ "mimobox run --network ", "none names host tcp", true },
	{ "mimobox forward b", "baker", true },
	{ "mimobox run --pub", "--publish", true },
	{ "mimobox run --keep --seccomp c", "compat", true },
	{ "mimobox run --overf", "--overflow", true },
	{ "mimobox run --replies a", "auto always", true },
	{ "mimobox run --memory none --fo", "--fork", true },
	{ "mimobox run mkfi", "mkfifo", true },
	{ "mimobox run --memory none -- mkfi", "mkfifo", true },
	{ "mimobox run cat /etc/passw", "passwd", false },
};

static void check(const char *shell, char *(*complete)(const char *line))
{
	if (run_shell("sh", text("command -v %s", shell)).status)
		cr_skip_test("no %s here", shell);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *given = text("\n%s", complete(cases[i].line)), *all = given;
		char *words = text("%s", cases[i].offered);
		unsigned lines = 0, count = 0;

		for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
			cr_expect(has(given, text("\n%s\n", word)) ||
					  has(given, text("/%s\n", word)),
				  "%s: '%s': no %s:%s", shell, cases[i].line, word, given);
			count++;
		}
		while ((all = strchr(all + 1, '\n')))
			lines++;
		cr_expect(!cases[i].alone || lines == count, "%s: '%s': more:%s", shell,
			  cases[i].line, given);
	}
}

static char *output(const char *shell, const char *script, const char *line)
{
	struct run done;

	setenv("LINE", line, 1);
	done = run((const char *const[]){ shell, "-c", script, NULL });
	cr_expect_str_eq(done.err, "", "%s: '%s': %s", shell, line, done.err);
	return done.out;
}

/* The words as readline cuts them: an empty one at the end where a blank is. */
static char *complete_bash(const char *line)
{
	return output("bash",
		      ". $COMPLETION/mimobox.bash; COMP_WORDS=($LINE);"
		      "[[ $LINE != *' ' ]] || COMP_WORDS+=('');"
		      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mimobox;"
		      "printf '%s\\n' \"${COMPREPLY[@]}\" | sort -u",
		      line);
}

Test(completion, bash)
{
	check("bash", complete_bash);
}

/*
 * `complete -C` gives a word, and what it is after a tab. Since fish 4 it gives words that have the
 * letters in the middle, too, and leaves it to the pager to prefer the others.
 */
static char *complete_fish(const char *line)
{
	return output("fish",
		      "source $COMPLETION/mimobox.fish;"
		      "set last (string split -r -m1 -f2 ' ' -- \"$LINE\"; or echo);"
		      "complete -C \"$LINE\" | string replace -r '\\t.*' '' | sort -u"
		      "| while read word;"
		      "string match -q -- \"$last*\" $word; and echo $word; end; true",
		      line);
}

Test(completion, fish)
{
	check("fish", complete_fish);
}

/*
 * zsh completes in its line editor alone: so one of its own, on a terminal of zsh's making, with a
 * key that has all matches printed between two marks.
 */
static char *complete_zsh(const char *line)
{
	return output("zsh",
		      "zmodload zsh/zpty; zpty z zsh -f -i;"
		      "zpty -w z \"PS1=; fpath=(\\$COMPLETION \\$fpath); autoload -Uz compinit;"
		      " compinit -u -D; zstyle ':completion:*' list-colors '' \\\"=*=0\\\";"
		      " compadd() { if [[ \\${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then"
		      " builtin compadd \\\"\\$@\\\"; return; fi; local -a found;"
		      " builtin compadd -O found \\\"\\$@\\\"; print -l -- \\$found;"
		      " builtin compadd \\\"\\$@\\\"; };"
		      " look() { print BEG''IN; compprefuncs=(); _main_complete; print EN''D };"
		      " zle -C look list-choices look; bindkey '^I' look; print REA''DY\";"
		      "zpty -r -m z text '*READY*'; zpty -w -n z \"$LINE\"$'\\t';"
		      "zpty -r -m z text '*END*'; zpty -d z;"
		      "print -r -- \"$text\" | tr -d '\\r' | sed '1,/^.*BEGIN$/d; /^END/,$d;/^$/d' "
		      "| sort -u",
		      line);
}

Test(completion, zsh)
{
	check("zsh", complete_zsh);
}
