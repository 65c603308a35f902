#!/bin/sh
# SPDX-License-Identifier: MIT
# stranger.sh SUITE ROOT: the README's commands on a clean Debian, word for word, as root and as a user.
#
# Called by system_stranger.c, as root, as the first process of a PID namespace and in a mount
# namespace, with SOURCE=the tree and GROUP=a name for cgroups. ROOT is an empty directory, for a root
# file system in memory that goes with the namespace. Status 77, and the reason, where there is none.
set -eu

if [ "$1" != inside ]; then
	suite=$1 root=$2
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
		sh /tmp/stranger.sh inside' 9<&9
fi

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
		END { exit !found }' README.md >/tmp/commands || fail "README.md has no commands '$1'"
	cat /tmp/commands
}

# Of the two commands the other is what runs this.
commands 'contrib/run' | grep -v '^contrib/test' >/tmp/first
step 'contrib/run' sh -e /tmp/first
grep -q '^3$' /tmp/out || fail 'contrib/run: no status of the session'
mountpoint -q /run/mimobox || fail 'contrib/run: no mount is left'
$(sed -n 's/.*To end it:  //p' /tmp/out)
! mountpoint -q /run/mimobox || fail 'contrib/run: the mount is left'

commands 'contrib/deb' | grep -v '^systemctl' >/tmp/second
step 'contrib/deb, apt install' sh -ec 'yes | sh -e /tmp/second'
[ "$(command -v mimoboxfs)" = /usr/bin/mimoboxfs ] || fail 'the package has no mimoboxfs on the PATH'
commands 'mimoboxfs /run/mimobox  ' >/tmp/third
step 'ten lines' script -qec 'stty rows 24 cols 80; sh -e /tmp/third' /dev/null
tr -d '\r' </tmp/out | grep -qx 3 || fail "ten lines: no status: $(cat /tmp/out)"
fusermount3 -u /run/mimobox
