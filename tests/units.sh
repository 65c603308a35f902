#!/bin/sh
# SPDX-License-Identifier: MIT
# units.sh system|user UID: runs a unit of contrib/systemd under a real service manager.
#
# Called by system_service.c, as root, as the first process of a PID namespace and in a mount
# namespace, with FS=mimoboxfs, UNITS=the directory of the units as they are built, and
# GROUP=a name for cgroups. The manager is systemd's user instance also for the system's unit: it
# takes no machine that was booted with systemd, and sets up what it starts in the same way.
# Everything waits with a bound; the first thing that is wrong ends it.
set -eu

factor=${MIMOBOX_TEST_FACTOR:-1} # a whole number, of the runner
kind=$1
uid=$2
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /var/lib
export XDG_RUNTIME_DIR=/run/user/$uid HOME=/run/home
units=$HOME/.config/systemd/user
place=/run/mimobox
[ "$kind" = system ] || place=$XDG_RUNTIME_DIR/mimobox
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR" "$units/mimobox.service.d"

# Whatever the manager makes is below these. cpuset of v1 takes nobody in yet; that is none of it.
for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
	[ -w "$group/cgroup.procs" ] && mkdir "$group/$GROUP" || continue
	chown -R "$uid:$uid" "$group/$GROUP"
	echo $$ 2>/dev/null >"$group/$GROUP/cgroup.procs" || :
done

# LeakSanitizer looks at its own process by ptrace(2), which the unit refuses.
cp "$FS" /run/mimoboxfs
chmod 755 /run/mimoboxfs
sed 's,^\(Exec[A-Z][a-z]*\)=[^ ]*/mimoboxfs,\1=/run/mimoboxfs,' "$UNITS/$kind.service" >"$units/mimobox.service"
echo '[Service]
StandardError=append:%t/errors
Environment=ASAN_OPTIONS=detect_leaks=0:exitcode=99' >"$units/mimobox.service.d/test.conf"
printf '[Unit]\nDefaultDependencies=no\n' >"$units/nothing.target"
chown -R "$uid:$uid" "$HOME" "/run/user/$uid"
mknod -m 666 /run/fuse c 10 229
mount --bind /run/fuse /dev/fuse

as="setpriv --reuid $uid --regid $uid --clear-groups"
cd /
$as env -i PATH="$PATH" HOME="$HOME" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" \
	SYSTEMD_LOG_TARGET=console /lib/systemd/systemd --user --unit=nothing.target >/run/log 2>&1 &

fail() {
	echo "$*"
	manager status --no-pager mimobox || :
	cat /run/log "$XDG_RUNTIME_DIR/errors" || :
	exit 1
}

manager() {
	timeout $((20 * factor)) $as systemctl --user "$@"
}

# until_is WHAT COMMAND: the command's output becomes WHAT, in ten seconds by the factor.
until_is() {
	tries=0
	until [ "$(eval "$2" 2>/dev/null)" = "$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt $((200 * factor)) ] || fail "not '$1': $2"
		sleep 0.05
	done
}

# run COMMAND: in a session, whose output this is.
run() {
	$as sh -c 'mkdir "$1/r" && echo "command $2" >"$1/r/config" && echo start >"$1/r/ctl" &&
		timeout "$3" cat "$1/r/output" && [ "$(timeout "$3" cat "$1/r/exit")" = 0 ] &&
		rmdir "$1/r"' - "$place" "$1" $((10 * factor)) | tr -d '\r'
}

until_is yes '[ -S $XDG_RUNTIME_DIR/systemd/private ] && echo yes'

# Type=notify: started is usable.
manager start mimobox || fail 'not started'
until_is "Serving $place" 'manager show -P StatusText mimobox'
[ "$(run 'echo $((6*7))')" = 42 ] || fail 'no session'
[ "$kind" = user ] || [ "$(run 'python3 -c "print(6*7)"')" = 42 ] || fail 'no python'
main=$(manager show -P MainPID mimobox)
if [ "$kind" = system ]; then
	grep -q '^NoNewPrivs:.*1$' "/proc/$main/status" || fail 'new privileges'
	grep -q '^CapBnd:.*ffffffff$' "/proc/$main/status" && fail 'all capabilities'
	grep -q '^Seccomp:.*2$' "/proc/$main/status" || fail 'no seccomp'
	[ "$(stat -c %a $place)" = 1777 ] || fail 'mode of the root directory'
fi

# Killed: its sessions go with it, and a new one serves at the same place.
$as sh -c 'mkdir $0/a && echo "command sleep 12345" >$0/a/config && echo start >$0/a/ctl' $place
inside=$($as sed -n 's/^pid //p' $place/a/status)
kill -0 "$inside"
kill -KILL "$main"
until_is 1 'manager show -P NRestarts mimobox'
until_is running 'manager show -P SubState mimobox'
[ "$($as ls $place)" = "$(printf 'defaults\nevents\nmetrics\nstats')" ] || fail 'not as new'
! kill -0 "$inside" 2>/dev/null || fail 'its session lives on'

# A second one at the same place does not start, and its end leaves the first alone.
sed 's/^Restart=.*/Restart=no/' "$units/mimobox.service" >"$units/second.service"
manager daemon-reload
! manager start second 2>/dev/null || fail 'two at one place'
[ "$(run 'echo $((7*7))')" = 49 ] || fail 'the second has ended the first'

# A reload is an upgrade, under which sessions go on.
main=$(manager show -P MainPID mimobox)
$as sh -c 'mkdir $0/a && echo "command read x; echo \$x" >$0/a/config && echo start >$0/a/ctl' $place
cp /run/mimoboxfs /run/new && mv /run/new /run/mimoboxfs
[ "$(readlink "/proc/$main/exe")" = '/run/mimoboxfs (deleted)' ] || fail 'another program'
manager reload mimobox || fail 'not reloaded'
[ "$(readlink "/proc/$main/exe")" = /run/mimoboxfs ] || fail 'the program of before'
[ "$(manager show -P MainPID mimobox)" = "$main" ] || fail 'another process'
[ "$(manager show -P SubState mimobox)" = running ] || fail 'not running after a reload'
$as sh -c 'echo there >$0/a/input; timeout $1 cat $0/a/exit; rmdir $0/a' $place $((10 * factor)) | grep -qx 0 || fail 'no session'

# With a keeper, and only so.
echo '[Service]
Environment="MIMOBOX_OPTIONS=--keeper no"' >"$units/mimobox.service.d/keeper.conf"
manager daemon-reload
manager restart mimobox
! manager reload mimobox 2>/dev/null || fail 'reloaded without a keeper'
[ "$(run 'echo $((7*8))')" = 56 ] || fail 'no session after no reload'
rm "$units/mimobox.service.d/keeper.conf"

# A hang is an end as well, found by the watchdog.
sed -i "s/^WatchdogSec=.*/WatchdogSec=${factor}s/" "$units/mimobox.service"
manager daemon-reload
manager restart mimobox
main=$(manager show -P MainPID mimobox)
kill -STOP "$(pgrep -P "$main" -x mimoboxfs)"
until_is yes '[ "$(manager show -P NRestarts mimobox)" -ge 1 ] && echo yes'
until_is running 'manager show -P SubState mimobox'
[ "$(run 'echo $((8*8))')" = 64 ] || fail 'no session after the hang'

# Stopped: programs that ignore signals go too, and the mount.
$as sh -c 'mkdir $0/a && echo "command trap : TERM; sleep 12346; sleep 12346" >$0/a/config &&
	echo start >$0/a/ctl' $place
inside=$($as sed -n 's/^pid //p' $place/a/status)
manager stop mimobox
until_is dead 'manager show -P SubState mimobox'
[ "$(manager show -P Result mimobox)" = success ] || fail 'a bad end'
! grep -q " $place " /proc/mounts || fail 'still mounted'
! kill -0 "$inside" 2>/dev/null || fail 'a process is left'

# Killed, and not to be restarted: no dead mount stays.
sed -i 's/^Restart=.*/Restart=no/' "$units/mimobox.service"
manager daemon-reload
manager start mimobox
grep -q " $place " /proc/mounts || fail 'not mounted'
kill -KILL "$(manager show -P MainPID mimobox)"
until_is failed 'manager show -P SubState mimobox'
! grep -q " $place " /proc/mounts || fail 'a dead mount is left'
