#!/bin/sh
# SPDX-License-Identifier: MIT
# stranger.sh SUITE ROOT WAY...: the README's commands on a clean Debian, word for word. The ways, in turn:
# run: contrib/run as root; user: as another user, after that; package: contrib/deb, and its package;
# apparmor: the profile of the package; purge: all of it goes; packages: what contrib/packages names is there.
#
# Called by system_stranger.c, as root, as the first process of a PID namespace and in a mount
# namespace, with SOURCE=the tree and GROUP=a name for cgroups. ROOT is an empty directory, for a root
# file system in memory that goes with the namespace. Status 77, and the reason, where there is none.
set -eu

if [ "$1" != inside ]; then
	suite=$1 root=$2
	shift 2
	: "${1:?stranger.sh SUITE ROOT WAY...}"
	cache=${MIMOBOX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mimobox}
	image=$("$SOURCE/contrib/vm/root" "$suite" stranger) || exit
	exec 9<"$cache/archives/$suite"
	flock -w 300 9 || { echo "another run has kept $cache/archives/$suite for 300 s"; exit 1; }

	for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ -w "$group/cgroup.procs" ] && mkdir "$group/$GROUP" || continue
		echo $$ 2>/dev/null >"$group/$GROUP/cgroup.procs" || :
	done

	# User namespaces are refused in a chroot: it becomes the root of this mount namespace.
	mount -t tmpfs -o mode=755 none "$root"
	tar -C "$root" -xf "$image"
	cd "$root"
	mount -t proc proc proc
	mount --rbind /sys sys
	mount -t tmpfs -o mode=755 none run
	mount -t tmpfs -o mode=755 none dev
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=666,gid=5,mode=620 none dev/pts
	mount -t tmpfs -o mode=1777 none dev/shm
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	ln -s ../proc/self/mounts etc/mtab
	for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 fuse:10:229; do
		mknod -m 666 "dev/${device%%:*}" c $(echo "${device#*:}" | tr : ' ')
	done
	cat /etc/resolv.conf >etc/resolv.conf
	cat /etc/hosts >etc/hosts
	mount --bind "$cache/archives/$suite" var/cache/apt/archives

	# The tree as git has it, with what is changed of it here.
	mkdir root/mimobox
	(cd "$SOURCE" && git -c safe.directory='*' ls-files -z --cached --deduplicate |
		xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\0" "$file"; done' - |
		tar --null -T - -cf -) | tar -C root/mimobox --no-same-owner -xf -
	cp "$SOURCE/tests/stranger.sh" tmp/stranger.sh
	pivot_root . mnt
	exec chroot . /bin/sh -c 'umount -l /mnt && exec env -i PATH="$PATH" HOME=/root TERM=linux \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		sh /tmp/stranger.sh inside "$@"' - "$@" 9<&9
fi
shift

cd /root/mimobox

fail() {
	echo "$*"
	exit 1
}

# step NAME COMMAND...: its output is shown where it fails.
step() {
	name=$1
	shift
	read -r since _ </proc/uptime
	"$@" >/tmp/out 2>&1 || { status=$?; tail -n 60 /tmp/out; fail "$name: status $status"; }
	read -r now _ </proc/uptime
	echo "$since $now" | awk -v name="$name" '{ printf "%s: %.1f s\n", name, $2 - $1 }'
}

# commands LINE: those of the code block of README.md that begins with this.
commands() {
	awk -v begins="$1" '/^```/ { of = /^```sh$/ ? NR + 1 : 0; next }
		of == NR { of = index($0, begins) == 1 ? -1 : 0 }
		of == -1 { print; found = 1 }
		END { exit !found }' README.md || fail "README.md has no commands '$1'" >&2
}

# Waits for the ends of the daemons whose mounts have gone.
await_daemons() {
	for comm in $(grep -lsx mimoboxfs /proc/[0-9]*/comm); do
		comm=${comm#/proc/}
		timeout 20 tail -s 0.1 -f --pid="${comm%/comm}" /dev/null || fail 'a daemon does not end'
	done
}

# ends_mount [AS...]: does what contrib/run has said of its mount's end.
ends_mount() {
	end=$(sed -n 's/.*To end it:  //p' /tmp/out)
	place=${end##* }
	"$@" mountpoint -q "$place" || fail "contrib/run: no mount is left at $place"
	"$@" $end
	! "$@" mountpoint -q "$place" || fail "contrib/run: the mount is left at $place"
}

# Of the two commands the other is what runs this.
way_run() {
	commands 'contrib/run' | grep -v '^contrib/test' >/tmp/commands.run
	step 'contrib/run' sh -e /tmp/commands.run
	grep -q '^3$' /tmp/out || fail 'contrib/run: no status of the session'
	ends_mount
	[ "$place" = /run/mimobox ] || fail "contrib/run: root's mount is at $place"
}

# What is missing is root's to install, by the line that is printed.
way_user() {
	useradd --create-home --shell /bin/sh stranger
	cp -R /root/mimobox /home/stranger
	rm -rf /home/stranger/mimobox/build*
	chown -R stranger: /home/stranger
	as='setpriv --reuid stranger --regid stranger --init-groups env HOME=/home/stranger'
	apt-get remove -q -y fuse3 >/dev/null 2>&1
	cd /home/stranger/mimobox
	! $as sh -e /tmp/commands.run >/tmp/out 2>&1 || fail 'contrib/run: needs no fusermount3'
	line=$(sed -n 's/^Missing packages. As root: //p' /tmp/out)
	[ "$line" = 'apt-get install fuse3' ] || fail "not the missing package: $(cat /tmp/out)"
	step "a user's packages" sh -ec "yes | $line"
	step "a user's contrib/run" $as sh -e /tmp/commands.run
	grep -q '^3$' /tmp/out || fail "a user's contrib/run: no status of the session"
	ends_mount $as
	[ "$place" = "/tmp/mimobox-$(id -u stranger)" ] || fail "a user's mount is at $place"
	cd /root/mimobox
}

# The units are for a machine that was booted with systemd.
way_package() {
	commands 'contrib/deb' | grep -v '^systemctl' >/tmp/commands.deb
	step 'contrib/deb, apt install' sh -ec 'yes | sh -e /tmp/commands.deb'
	[ "$(command -v mimoboxfs)" = /usr/bin/mimoboxfs ] || fail 'not on the PATH: mimoboxfs'
	commands 'mimoboxfs /run/mimobox  ' >/tmp/commands.ten
	step 'ten lines' script -qec 'stty rows 24 cols 80; sh -e /tmp/commands.ten' /dev/null
	tr -d '\r' </tmp/out | grep -qx 3 || fail "ten lines: no status: $(cat /tmp/out)"
	fusermount3 -u /run/mimobox
	await_daemons
}

# It comes after the package, and the package again. AppArmor 3 would fail at the profile, and with it
# the service that loads all of them.
way_apparmor() {
	step 'apparmor' apt-get install -q -y --no-install-recommends apparmor
	profile=/etc/apparmor.d/mimobox
	if [ -e /etc/apparmor.d/abi/4.0 ]; then
		rm "$profile" || fail 'AppArmor has not come by a profile'
	fi
	step 'once more' dpkg -i build-deb/mimobox_*.deb
	[ ! -e /etc/apparmor.d/abi/4.0 ] || [ -e "$profile" ] || fail 'the package brings no profile'
	step 'all profiles' apparmor_parser --skip-kernel-load --skip-cache /etc/apparmor.d
}

way_purge() {
	step 'purge' apt-get purge -q -y mimobox
	left=$(find /etc /usr /var/lib -name '*mimobox*')
	[ -z "$left" ] || fail "left by the package: $left"
}

# All that the scripts may install here, and would on a machine of the other architecture.
way_packages() {
	. contrib/common.sh
	here=/root/mimobox
	mkdir /tmp/bin
	printf '#!/bin/sh\necho "$architecture"\n' >/tmp/bin/dpkg
	printf '#!/bin/sh\n' >/tmp/bin/dpkg-query # nothing is installed
	chmod 755 /tmp/bin/*
	kinds=$(sed -n 's/^\([a-z]*\) .*/\1/p' contrib/packages | sort -u)
	for architecture in amd64 arm64; do
		export architecture
		names=$(PATH=/tmp/bin:$PATH missing_packages $kinds | sort -u)
		lists=/tmp/lists-$architecture
		mkdir -p "$lists/partial"
		apt="apt-get -q -o APT::Architecture=$architecture -o APT::Architectures=$architecture \
			-o Dir::State::lists=$lists -o Dir::State::status=/dev/null"
		step "lists of $architecture" $apt update
		step "all packages, $architecture" $apt install --simulate --no-install-recommends $names
		grep -q '^Inst gcc ' /tmp/out || fail "no compiler is installed: $(cat /tmp/out)"
	done
}

for way; do
	way_$way
done
