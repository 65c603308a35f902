#!/bin/sh
# SPDX-License-Identifier: MIT
# arm64.sh ROOT: compiles and links the whole tree for arm64, warnings being errors.
#
# Called by system_stranger.c, as root, as the first process of a PID namespace and in a mount
# namespace, with SOURCE=the tree. ROOT is an empty directory, for a root file system in memory, of
# Debian 12 with a cross compiler and arm64's libraries. Status 77, and the reason, where there is none.
set -eu

root=$1
[ "$(dpkg --print-architecture)" != arm64 ] || {
	echo 'this machine is arm64 itself: there is nothing to cross' >&2
	exit 77
}
libraries='fuse3 cap seccomp vterm jansson criterion'
image=$("$SOURCE/contrib/vm/root" bookworm arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross meson \
	ninja-build pkg-config $(printf 'lib%s-dev:arm64 ' $libraries)) || exit

mount -t tmpfs -o mode=755 none "$root"
tar -C "$root" -xf "$image" --exclude ./usr/share/doc --exclude ./usr/share/locale
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir "$root/tree"
mount --bind "$SOURCE" "$root/tree"

cat >"$root/root/arm64" <<'END'
[binaries]
c = 'aarch64-linux-gnu-gcc'
ar = 'aarch64-linux-gnu-gcc-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'aarch64-linux-gnu-pkg-config'
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'armv8-a'
endian = 'little'
END
chroot "$root" env -i PATH="$PATH" HOME=/root sh -ec '
	exec >/root/log 2>&1
	meson setup /root/build /tree --cross-file /root/arm64 -Dwerror=true -Dtests=enabled \
		-Doptimization=2 -Ddebug=false
	ninja -C /root/build' || { tail -n 60 "$root/root/log"; exit 1; }
[ "$(head -c 20 "$root/root/build/fs/mimoboxfs" | od -An -j 18 -t d2 | tr -d ' ')" = 183 ] || {
	echo 'fs/mimoboxfs is not for arm64'
	exit 1
}
