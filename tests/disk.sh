#!/bin/sh
# SPDX-License-Identifier: MIT
# disk.sh MIMOBOXFS MIMOBOX: in the machine uml-bare of contrib/vm, what `disk` bounds on an ext4
# filesystem with project quotas, and that a start is refused on one without. One line a check.
set -u
fs=$1 client=$2
kernel=/usr/lib/uml/modules/$(uname -r)/kernel
mount=/run/m disks=/run/disks

check() { # NAME COMMAND...: of a truth
	name=$1
	shift
	if "$@"; then echo "ok $name"; else
		echo "not ok $name: $*"
		cat /run/out
		failed=1
	fi
}
failed=0

as() { # USER COMMAND...
	user=$1
	shift
	setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
}
run() { # USER OPTION... -- COMMAND...: what it prints is in /run/out
	user=$1
	shift
	as "$user" timeout 120 "$client" run --mount $mount "$@" >/run/out 2>&1
}
said() { grep -q -e "$1" /run/out; }
not() { ! "$@"; }
below() { [ "$(grep "^$1 " /run/out | cut -d' ' -f2)" -le "$2" ]; }

begin() { # OPTIONS of mount(8)
	truncate -s 96M /run/disk.img
	mkfs.ext4 -q -O project,quota -E quotatype=prjquota /run/disk.img
	mkdir -p $mount $disks
	mount -o "loop,$1" /run/disk.img $disks
	mkdir -p $disks/workspaces $disks/tree
	echo text >$disks/tree/file
	chown -R alice $disks/tree
	chmod 711 $disks/workspaces
	printf 'landlock none\n' >/run/defaults
	printf 'landlock none\nuser-disk 30M\ndisk 30M\n' >/run/ceiling
	"$fs" --defaults /run/defaults --workspaces $disks/workspaces $mount || exit 1
}
end() {
	fusermount3 -u $mount
	tries=0
	until umount $disks 2>/dev/null || [ $((tries += 1)) -gt 300 ]; do sleep 0.1; done
	check "$1" [ $tries -le 300 ]
}

# Prints what could be written to each, in bytes.
fill='head -c 5M /dev/zero >/workspace/five && echo five fits
for file in /workspace/f ~/f '$disks'/tree/f; do
	[ -d ${file%/f} ] || continue
	head -c 1G /dev/zero >$file
	echo $file $(stat -c %s $file 2>/dev/null || echo 0)
done
echo sum $(find /workspace ~ '$disks'/tree -xdev -newer /etc/hostname -type f -printf "%s\n" 2>/dev/null |
	awk "{ n += \$1 } END { print n + 0 }")
df -k --output=size /workspace ~ | tr -d "\n"; echo'

# The request numbers are those of linux/fs.h; flag 0x200 is FS_XFLAG_PROJINHERIT.
leave='python3 -c "
import fcntl, os, struct
fd = os.open(\"/workspace\", os.O_RDONLY)
data = bytearray(28)
fcntl.ioctl(fd, 0x801c581f, data)
flags, *middle, project, more, rest = struct.unpack(\"IIIII8s\", data)
print(\"of a project\", flags & 0x200 != 0 and project >= 1 << 30)
for flags, project in ((flags, 0), (flags & ~0x200, project)):
    try:
        fcntl.ioctl(fd, 0x401c5820, struct.pack(\"IIIII8s\", flags, *middle, project, more, rest))
        print(\"left\")
    except OSError as error:
        print(\"stays\", error)
data = bytearray(8)
fcntl.ioctl(fd, 0x80086601, data)
try:
    fcntl.ioctl(fd, 0x40086602, struct.pack(\"Q\", struct.unpack(\"Q\", data)[0] & ~0x20000000))
    print(\"left\")
except OSError as error:
    print(\"stays\", error)
"'

insmod "$kernel/fs/quota/quota_tree.ko" && insmod "$kernel/fs/quota/quota_v2.ko" &&
	insmod "$kernel/drivers/block/loop.ko" || exit 1
[ -e /dev/loop0 ] || mknod /dev/loop0 b 7 0

begin prjquota
for user in alice root; do
	run $user --disk 10M -- sh -c "$fill"
	check "$user has what fits" said "five fits"
	check "$user has no more" said "Disk quota exceeded"
	check "$user has no more in all" below sum 10485760
	check "$user sees the bound" said "10240 *.*10240"
	run $user --disk 10M --overlay $disks/tree -- sh -c "$fill"
	check "$user has no more in an overlay" below sum 10485760
	check "$user has what fits beside an overlay" said "five fits"
	run $user --disk none -- sh -c "head -c 20M /dev/zero >/workspace/f; stat -c 'size %s' /workspace/f"
	check "$user has all of it without a bound" said "size 20971520"
	run $user --disk none --ro /usr/share:/srv/share -- sh -c "head -c 20M /dev/zero >/workspace/f; stat -c 'size %s' /workspace/f"
	check "$user has all of it without a bound, with a path" said "size 20971520"
	run $user --disk 1M -- sh -c "cd; seq 3000 | xargs touch; echo files \$(ls | wc -l)"
	check "$user has so many files" below files 1280
	run $user --disk 1M -- sh -c "$leave"
	check "$user is in a project" said "of a project True"
	check "$user stays in it" not said left
done
check "the tree stays as it is" [ "$(cat $disks/tree/*)" = text ]
run alice --disk 10M --keep --name kept -- true
as alice cat $mount/kept/status >/run/out
check "status has the bound" said "^disk 10485760$"
check "status has what is left" said "^disk-left 10[0-9]*$"
as alice rmdir $mount/kept
end "nothing holds it"

begin prjquota,nodelalloc
fusermount3 -u $mount
"$fs" --defaults /run/defaults --ceiling /run/ceiling --workspaces $disks/workspaces $mount
run alice -- true
check "a ceiling wants a bound" said "disk: none is above the ceiling of 30M"
run alice --disk 20M --keep --name kept -- true
check "one is started" [ -d $mount/kept ]
run alice --disk 20M -- true
check "a total is of what is there" said "user-disk: 20M beside the 20M of other sessions"
as alice rmdir $mount/kept
run alice --disk 20M -- echo started
check "a removed one makes room" said started
end "nothing holds it under a ceiling"

begin noquota
run alice --disk 10M -- echo started
check "without quotas it is refused" not said started
check "without quotas it is said why" said "project quotas"
run alice --disk none -- echo started
check "without a bound it starts" said started
end "nothing holds it without quotas"
exit $failed
