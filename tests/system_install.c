/* SPDX-License-Identifier: MIT */
/* What `meson install` puts where, below a directory of the test's own, and that it works there. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

/* D is the directory, P the prefix below it, L where libraries are below that. */
static void install(void)
{
	fixture_prepare();
	setenv("D", text("%s/tree", fixture.dir), 1);
	sh("meson install -C \"$BUILD\" --no-rebuild --quiet --destdir \"$D\"");
	setenv("P", text("%s%s", getenv("D"), getenv("PREFIX")), 1);
	setenv("L", text("%s/%s", getenv("P"), getenv("LIBDIR")), 1);
}

TestSuite(install, .init = install, .fini = fixture_stop, .timeout = 60);

Test(install, files_and_their_modes)
{
	static const struct {
		const char *path;
		mode_t mode;
	} files[] = {
		{ "$P/bin/mimobox", 0755 },
		{ "$P/bin/mimoboxfs", 0755 },
		{ "$P/share/man/man1/mimobox.1", 0644 },
		{ "$P/include/mimobox.h", 0644 },
		{ "$L/libmimobox.a", 0644 },
		{ "$L/pkgconfig/mimobox.pc", 0644 },
		{ "$P/share/man/man5/mimobox.5", 0644 },
		{ "$P/share/man/man8/mimoboxfs.8", 0644 },
		{ "$P/share/mimobox/apparmor/mimobox", 0644 },
		{ "$P/share/mimobox/profiles/agent.conf", 0644 },
		{ "$P/share/mimobox/profiles/build.conf", 0644 },
		{ "$P/share/mimobox/profiles/node.conf", 0644 },
		{ "$P/share/mimobox/profiles/python.conf", 0644 },
		{ "$P/share/mimobox/profiles/shell.conf", 0644 },
		{ "$P/share/mimobox/profiles/strict.conf", 0644 },
		{ "$P/share/doc/mimobox/examples/run-mimobox.mount", 0644 },
		{ "$P/share/doc/mimobox/examples/Makefile", 0644 },
		{ "$P/share/doc/mimobox/examples/judge", 0755 },
		{ "$P/share/doc/mimobox/examples/queue", 0755 },
		{ "$P/share/man/man7/mimobox-examples.7", 0644 },
		{ "$P/share/man/man7/mimobox-trouble.7", 0644 },
		/* where they are, pkg-config may have its say */
		{ "$(find $D -path '*/system/mimobox.service')", 0644 },
		{ "$(find $D -path '*/user/mimobox.service')", 0644 },
		{ "$(find $D -path '*/tmpfiles.d/mimobox.conf')", 0644 },
	};

	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++)
		cr_expect_str_eq(sh(text("stat -c '%%a %%U %%F' \"%s\"", files[i].path)),
				 text("%o root regular file\n", files[i].mode), "%s",
				 files[i].path);
	cr_expect_str_eq(sh("find $D -type d ! -perm 0755; find $D -type f -perm /022"), "");
	/* every example, and no profile that is not on the list above */
	cr_expect_str_eq(sh("cd $SOURCE/contrib/examples && for f in *; do "
			    "cmp $f $P/share/doc/mimobox/examples/$f; done"),
			 "");
	cr_expect_str_eq(sh("ls $P/share/mimobox/profiles | wc -l; ls $PROFILES | wc -l"),
			 "9\n9\n");
}

/* The units start what is installed beside them, and the profile is for it. */
Test(install, units_name_the_program)
{
	sh("grep -q \"^profile mimobox $PREFIX/bin/mimoboxfs \" "
	   "$P/share/mimobox/apparmor/mimobox");
	char *lines = sh("cat $(find $D -name mimobox.service) | grep -c \"^ExecStart=$PREFIX/bin/"
			 "mimoboxfs -f\"; grep -l '@[a-z]*@' $(find $D -name '*.service') || :");

	cr_assert_str_eq(lines, "2\n");
}

Test(install, the_program_and_a_profile)
{
	setenv("MIMOBOXFS", text("%s/bin/mimoboxfs", getenv("P")), 1);
	fixture_daemon(NULL);
	cr_assert_str_eq(sh("mkdir $M/a && cp $P/share/mimobox/profiles/strict.conf $M/a/config &&"
			    "echo 'command echo hello; exit 5' > $M/a/config &&"
			    "echo start > $M/a/ctl && cat $M/a/output $M/a/exit"),
			 "hello\r\n5\n");
}

/* contrib/example.c with what is installed, and with nothing of the tree. */
Test(install, header_library_and_pkg_config)
{
	sh("export PKG_CONFIG_PATH=$L/pkgconfig;"
	   "[ \"$(pkg-config --modversion mimobox)\" = \"$VERSION\" ] &&"
	   "pkg-config --print-requires-private mimobox | grep -q libseccomp &&"
	   "cp $P/share/doc/mimobox/examples/example.c $D/ && cd $D &&"
	   "cc $(test $SANITIZE = none || echo -fsanitize=$SANITIZE) -o example example.c"
	   "  $(pkg-config --define-variable=prefix=$P --static --cflags --libs mimobox)");
	cr_assert_str_eq(sh("$D/example 'echo from C'"), "from C\r\n");
}

/* The Debian packages, unpacked: installing them is for a machine of its own. */
Test(package, is_built_and_works, .init = fixture_prepare, .fini = fixture_stop, .timeout = 120)
{
	struct run done;

	setenv("D", fixture.dir, 1);
	done = run_for(100, (const char *const[]){
				    "sh", "-c", "\"$SOURCE\"/contrib/deb \"$D\"/packages", NULL });
	cr_assert_eq(done.status, 0, "%s%s", done.out, done.err);
	sh("cd $D/packages && dpkg-deb -x mimobox_*.deb $D/tree && "
	   "dpkg-deb -x libmimobox-dev_*.deb $D/tree");
	cr_assert_str_eq(sh("cd $D/packages && dpkg-deb -f mimobox_*.deb Version"),
			 text("%s\n", getenv("VERSION")));
	cr_assert(has(sh("cd $D/packages && dpkg-deb -f mimobox_*.deb Depends"), "fuse3,"));
	/* Debian 13 has the system's units in usr/lib */
	sh("cd $D/tree && test -f usr/lib/systemd/user/mimobox.service -a"
	   " -f usr/lib/tmpfiles.d/mimobox.conf -a -f usr/share/man/man8/mimoboxfs.8.gz -a"
	   " -f usr/include/mimobox.h && set -- $(find * -path '*lib/systemd/system/*') &&"
	   "[ \"${1#usr/}\" = lib/systemd/system/mimobox.service ] &&"
	   "grep -q '^ExecStart=/usr/bin/mimoboxfs ' $1");
	setenv("MIMOBOXFS", text("%s/tree/usr/bin/mimoboxfs", fixture.dir), 1);
	fixture_daemon(NULL);
	cr_assert_str_eq(sh("mkdir $M/a && echo 'echo hello; exit 5' > $M/a/input &&"
			    "cat $M/a/exit"),
			 "5\n");
}
