# SPDX-License-Identifier: MIT
# Sourced by contrib/vm/image, boot, smoke and suites: machines, the cache.
#
#   machine    userland    kernel                        by
#   uml-bare   the host's  6.1, Debian's user-mode-linux  user-mode Linux, no systemd
#   uml        Debian 12   6.1, Debian's user-mode-linux  user-mode Linux
#   bookworm   Debian 12   6.1, its own                   qemu, emulated
#   backports  Debian 12   6.12, of its backports         qemu, emulated
#   trixie     Debian 13   6.12, its own                  qemu, emulated

. "$(dirname "$0")/../common.sh"
here=$(cd "$(dirname "$0")/../.." && pwd)
vm=$here/contrib/vm
cache=${MIMOBOX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mimobox}

factor=${MIMOBOX_TEST_FACTOR:-1} # of every bound, as in the tests

fail() {
	echo "contrib/vm/$(basename "$0"): $*" >&2
	exit 125
}

# suite: what its userland is; kernel: the suite of its kernel, or uml.
machine() {
	machine=$1
	case $machine in
	uml-bare) suite=none kernel=uml ;;
	uml) suite=bookworm kernel=uml ;;
	bookworm | trixie) suite=$machine kernel=$machine ;;
	backports) suite=bookworm kernel=bookworm-backports ;;
	*) fail "no machine $machine: it is uml-bare, uml, bookworm, backports or trixie" ;;
	esac
}

# Installs what making and booting $machine takes; status 77 where that cannot be had.
need_machine() {
	case $kernel in
	uml) kinds=uml ;;
	*) kinds='uml vm' ;;
	esac
	[ "$(id -u)" -eq 0 ] || fail "run as root: it makes file systems, and builds in a root of another release"
	[ "$(dpkg --print-architecture)" = amd64 ] || {
		echo "contrib/vm: all machines are amd64, and this one is not" >&2
		exit 77
	}
	# shellcheck disable=SC2086
	need_packages $kinds >&2 || exit 77
}

# In a machine: what mimobox depends on, what a server has, and what tests call.
machine_packages() {
	echo apparmor bsdutils dbus dbus-user-session file fuse3 hostname iproute2 kmod less \
		libcap2 libjansson4 libpam-systemd libseccomp2 libvterm0 login mount passwd procps psmisc \
		python3 strace systemd-sysv udev util-linux
	case $1 in
	bookworm) echo libfuse3-3 libcriterion3 ;;
	*) echo libfuse3-4 libcriterion3 ;;
	esac
}

# tree_state [EXCLUDED...]: a name for what the tree has now, but for what builds leave in it.
tree_of_source() {
	tar -C "$here" --exclude './build*' --exclude ./.git --exclude node_modules \
		--exclude ./contrib/mcp/dist "$@"
}
tree_state() {
	tree_of_source --exclude ./contrib/vm --sort=name --mtime=@0 --owner=0 --group=0 -cf - . |
		sha256sum | cut -c 1-16
}

# The packages of the kinds given.
packages_of() {
	for kind; do
		sed -n "s/^$kind //p" "$here/contrib/packages"
	done | awk '{ print $1 }' | sort -u
}

# in_root NAME OUTPUT PACKAGES COMMAND: builds with COMMAND in a root of $suite that has PACKAGES (and
# the tree at /src), and moves what it leaves at /out to OUTPUT. The log is OUTPUT.log.
in_root() {
	# shellcheck disable=SC2086
	tarball=$("$vm/root" "$suite" "$1" $3)
	place=$cache/build-$suite-$1 # one at a time: the caller has a lock
	rm -rf "$place"
	mkdir -p "$place/root"
	tar -C "$place/root" -xf "$tarball"
	mkdir "$place/root/src" "$place/root/out"
	tree_of_source -cf - . | tar -C "$place/root/src" -xf -
	in_root_status=0
	unshare --mount --pid --fork --kill-child sh -euc '
		mount -t proc proc "$0/proc"
		mount --bind /dev "$0/dev"
		exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 sh -euc "cd /src; $1"
	' "$place/root" "$4" >"$2.log" 2>&1 </dev/null || in_root_status=$?
	[ $in_root_status -ne 0 ] || {
		rm -rf "$2"
		mv "$place/root/out" "$2"
	}
	rm -rf "$place"
	[ $in_root_status -eq 0 ] || tail -n 30 "$2.log" >&2
	return $in_root_status
}
