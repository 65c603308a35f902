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
