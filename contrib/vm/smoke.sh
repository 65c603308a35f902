#!/bin/bash
# SPDX-License-Identifier: MIT
# smoke.sh: tries the package beside it on this machine, which has systemd as PID 1 and can be thrown
# away. contrib/vm/smoke runs it in machines of its own. One line a check: ok NAME, or FAILED NAME and
# what it did. Names are those of the functions below; `smoke.sh NAME...` runs these alone.
here=$(cd "$(dirname "$0")" && pwd)
bound=${BOUND:-300} # seconds for each check; emulation is slow
export LC_ALL=C.UTF-8

# --- what the checks are made of

# Waits until COMMAND... succeeds.
await() {
	local end=$((SECONDS + bound / 3))
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "in vain: $*"; return 1; }
		sleep 0.2
	done
}

# As `!`, which `set -e` passes over.
not() {
	if "$@"; then
		echo "not to succeed: $*"
		return 1
	fi
}

write() {
	echo "$1" >"$2"
}

# A check as alice, in a login session of hers: the function, with the machine's facts.
as_alice() {
	su -l alice -c "exec bash '$here/smoke.sh' --inside $*"
}

# Makes session $1 of lines on standard input, and starts it.
start() {
	mkdir "$1"
	cat >"$1/config"
	echo start >"$1/ctl" || { cat "$1/log"; return 1; }
}

# The unit's processes; nothing where it has none.
group_of() {
	cat "/proc/$1/cgroup" | sed -n 's/^0:://p'
}

# The daemon's options of this machine: a defaults file, where it needs one.
options() {
	[ ! -s /etc/mimobox.defaults ] || echo --defaults /etc/mimobox.defaults
}

# The server: the child of the keeper $1 that leads its process group.
server_of() {
	ps -o pid=,pgid=,comm= --ppid "$1" | awk '$1 == $2 && $3 == "mimoboxfs" { print $1 }'
}

# The ten lines of the README, at mount $1, on a terminal; those that match $2 left out, and the
# daemon started by $3...
ten_lines() {
	zcat -f /usr/share/doc/mimobox/README.md* |
		awk '/^## Ten lines/ { ten = 1 } ten && /^```$/ { exit } shown { print } ten && /^```sh/ { shown = 1 }' |
		sed "s,^mimoboxfs ,${*:3} &$(options) ,; s,/run/mimobox,$1,g; s, *#.*,," | grep -v "${2:-^$}" >"$scratch/ten"
	[ "$(wc -l <"$scratch/ten")" -ge 8 ]
	by_hand=$1
	script -qec "stty rows 24 cols 80; sh -eux $scratch/ten" /dev/null >"$scratch/said" </dev/null ||
		{ cat "$scratch/said"; return 1; }
	cat "$scratch/said"
	grep -q "Linux .*$(uname -m)" "$scratch/said"
	grep -q '^3.$' "$scratch/said"
	[ -z "$(find "$1" -mindepth 1 -maxdepth 1 -type d)" ]
	fusermount3 -u "$1"
	await not_running
	not mountpoint -q "$1"
}

not_running() {
	not pgrep -u "$(id -u)" -f '^mimobox' >/dev/null
}

# Limits of sessions at mount $1.
memory_kills() {
	start "$1/memory" <<-'S'
		memory 64M
		argv ["/usr/bin/python3", "-c", "x = bytearray(200 << 20)"]
	S
	[ "$(cat "$1/memory/exit")" = -9 ]
	cat "$1/memory/status"
	grep -q '^reason oom$' "$1/memory/status"
	rmdir "$1/memory"
}

processes_hold() {
	start "$1/processes" <<-'S'
		processes 12
		command i=0; while [ $i -lt 40 ] && sleep 600 & do i=$((i + 1)); done; echo "all of them"
	S
	cat "$1/processes/exit" "$1/processes/output"
	not grep -q 'all of them' "$1/processes/transcript"
	grep '^refused-forks' "$1/processes/status"
	not grep -q '^refused-forks 0$' "$1/processes/status"
	rmdir "$1/processes"
}

# What has used some time of a fifth of a core, and goes on, has taken five times as long. (An emulated
# machine that is not run for a moment books that as used; it is paid back before it goes on.)
cpu_holds() {
	cat >"$scratch/burn.py" <<-'S'
		import time
		def burn(until):
		    while time.process_time() < until:
		        pass
		began, before = time.monotonic(), time.process_time()
		burn(before + 0.4)
		used = time.process_time() - before
		burn(before + used + 0.02)
		took = time.monotonic() - began
		print('held' if took > used * 3.5 else 'let go', used, took)
	S
	start "$1/cpu" <<-S
		cpu 0.2
		argv ["/usr/bin/python3", "-c", $(python3 -c 'import json, sys; print(json.dumps(open(sys.argv[1]).read()))' "$scratch/burn.py")]
	S
	[ "$(cat "$1/cpu/exit")" = 0 ]
	cat "$1/cpu/output"
	grep -q '^held' "$1/cpu/transcript"
	rmdir "$1/cpu"
}

# A program sees its own group, and changes nothing there.
limits_are_seen() {
	start "$1/seen" <<-'S'
		memory 64M
		cpu 0.5
		processes 50
		command cd /sys/fs/cgroup; cat memory.max cpu.max pids.max; ls -d */; echo 99M > memory.max; cat memory.max; cat /proc/self/cgroup
	S
	cat "$1/seen/exit" "$1/seen/output"
	tr -d '\r' <"$1/seen/transcript" >"$scratch/seen"
	[ "$(head -3 "$scratch/seen" | tr '\n' ,)" = '67108864,50000 100000,52,' ] # init is one of them
	grep -q 'Read-only file system' "$scratch/seen"
	[ "$(tail -2 "$scratch/seen" | tr '\n' ,)" = '67108864,0::/,' ]
	rmdir "$1/seen"
}

# Servers and clients on the session's own loopback, and what runtimes ask of it.
loopback_works() {
	start "$1/loop" <<-'S'
		argv ["/usr/bin/python3", "-c", "import os, socket\nos.mkdir('/tmp/d')\nos.chmod('/tmp/d', 0o2770)\ns = socket.socket()\ns.bind(('127.0.0.1', 80 + 8000))\ns.listen()\nc = socket.create_connection(('127.0.0.1', 8080))\nc.send(b'heard')\nprint(s.accept()[0].recv(9).decode(), socket.if_nameindex())"]
	S
	cat "$1/loop/exit" "$1/loop/output"
	grep -q "heard \[(1, 'lo')\]" "$1/loop/transcript"
	rmdir "$1/loop"
}

limits_hold() {
	limits_are_seen "$1"
	loopback_works "$1"
	memory_kills "$1"
	processes_hold "$1"
	cpu_holds "$1"
}

# A unit of systemctl $2...: its sessions, at mount $1, are inside it and are counted.
counted_in_the_unit() {
	local mount=$1 group before after
	shift
	group=$("$@" show -P ControlGroup mimobox)
	before=$("$@" show -P MemoryCurrent mimobox)
	start "$mount/counted" <<-'S'
		command python3 -c 'import sys, time; x = bytearray(b"x" * (100 << 20)); print("there", flush=True); time.sleep(600)'
	S
	grep -q match "$mount/counted/wait/match@0:there"
	after=$("$@" show -P MemoryCurrent mimobox)
	echo "before $before after $after of $group"
	[ $((after - before)) -gt $((90 << 20)) ]
	group_of "$(awk '$1 == "pid" { print $2 }' "$mount/counted/status")" | grep "^$group/"
	rmdir "$mount/counted"
}

# A reload of systemctl $2... leaves the session, and the cat that is parked on its output.
reload_with_a_cat() {
	local mount=$1 main cat
	shift
	main=$("$@" show -P MainPID mimobox)
	start "$mount/parked" </dev/null
	cat "$mount/parked/output" >"$scratch/parked" &
	cat=$!
	echo 'echo be""fore' >"$mount/parked/input"
	grep -q match "$mount/parked/wait/match@0:before"
	"$@" reload mimobox
	[ "$("$@" show -P MainPID mimobox)" = "$main" ]
	echo 'echo af""ter; exit 4' >"$mount/parked/input"
	[ "$(cat "$mount/parked/exit")" = 4 ]
	wait $cat
	cat "$scratch/parked"
	grep -q before "$scratch/parked"
	grep -q after "$scratch/parked"
	rmdir "$mount/parked"
}

# kill -9 of the server: sessions go on.
server_killed() {
	local mount=$1 main
	shift
	main=$("$@" show -P MainPID mimobox)
	start "$mount/goes-on" </dev/null
	kill -9 "$(server_of "$main")"
	echo 'echo st""ill; exit 5' >"$mount/goes-on/input"
	[ "$(cat "$mount/goes-on/exit")" = 5 ]
	grep -q still "$mount/goes-on/transcript"
	[ "$("$@" show -P MainPID mimobox)" = "$main" ]
	rmdir "$mount/goes-on"
}

serves_again() {
	local mount=$1 main=$2 now
	shift 2
	now=$("$@" show -P MainPID mimobox)
	[ "$now" != 0 ] && [ "$now" != "$main" ] && "$@" -q is-active mimobox && [ -e "$mount/defaults" ]
}

# kill -9 of the keeper: no program of a session lives on; the unit starts it again.
keeper_killed() {
	local mount=$1 main
	shift
	main=$("$@" show -P MainPID mimobox)
	start "$mount/ends" <<<'command exec sleep 4711'
	grep -q '^state running' "$mount/ends/status"
	await pgrep -f '^sleep 4711'
	kill -9 "$main"
	await serves_again "$mount" "$main" "$@"
	not pgrep -f '^sleep 4711'
	[ ! -e "$mount/ends" ]
	mkdir "$mount/next"
	rmdir "$mount/next"
	# Workspaces of a daemon that was killed stay: somebody may want what is in them.
	rm -rf /var/lib/mimobox/workspaces/* "/var/tmp/mimobox-$(id -u)"/*
}

# Stopped while a session runs: no mount, group, process or file of it is left.
stop_leaves_nothing() {
	local mount=$1 group workspaces
	shift
	group=$("$@" show -P ControlGroup mimobox)
	start "$mount/running" <<<'command exec sleep 4712'
	await pgrep -f '^sleep 4712'
	workspaces=$(dirname "$(readlink "$mount/running/workspace")")
	[ -n "$(ls -A "$workspaces")" ]
	[ -n "$group" ] && [ -d "/sys/fs/cgroup$group" ]
	"$@" stop mimobox
	not mountpoint -q "$mount"
	[ ! -d "/sys/fs/cgroup$group" ]
	not pgrep -f '^sleep 4712'
	[ -z "$(ls -A "$workspaces" 2>/dev/null)" ]
	await not_running
}

# --- the checks, in order

packages_install() {
	touch /root/before
	DEBIAN_FRONTEND=noninteractive apt-get install -y "$here"/mimobox_*.deb
	[ "$(systemctl is-enabled mimobox)" = disabled ]
	not systemctl -q is-active mimobox
	not mountpoint -q /run/mimobox
	udevadm trigger --settle /dev/fuse 2>/dev/null || :
	[ ! -s "$here/defaults" ] || {
		cp "$here/defaults" /etc/mimobox.defaults
		echo 'MIMOBOX_OPTIONS="--defaults /etc/mimobox.defaults"' >/etc/default/mimobox
		install -d -o alice -g alice ~alice/.config ~alice/.config/mimobox
		cp /etc/default/mimobox ~alice/.config/mimobox/options
	}
}

root_ten_lines() {
	su -l root -c "exec bash '$here/smoke.sh' --inside ten_lines /run/mimobox"
	[ -z "$(find /sys/fs/cgroup -name 'mimobox*' -not -name '*mimobox-vm*')" ]
}

root_limits_by_hand() {
	by_hand=/run/mimobox
	su -l root -c "mimoboxfs $(options) /run/mimobox"
	limits_hold /run/mimobox
	fusermount3 -u /run/mimobox
}

# No cgroup of a login session is its user's: what asks for a limit is refused, all else works.
alice_ten_lines_in_a_login_session() {
	as_alice ten_lines '$XDG_RUNTIME_DIR/hand' config
}

alice_refused_limits_in_a_login_session() {
	as_alice refused_limits
}
refused_limits() {
	local mount=$XDG_RUNTIME_DIR/hand
	by_hand=$mount
	mimoboxfs $(options) "$mount"
	grep -q '^memory none' "$mount/defaults"
	mkdir "$mount/a"
	echo 'memory 64M' >"$mount/a/config"
	not write start "$mount/a/ctl"
	cat "$mount/a/log"
	grep -q memory "$mount/a/log"
	rmdir "$mount/a"
	fusermount3 -u "$mount"
}

alice_delegated_scope() {
	as_alice delegated_scope
}
delegated_scope() {
	local mount=$XDG_RUNTIME_DIR/scope
	by_hand=$mount
	systemd-run --user --scope -q -p Delegate=yes mimoboxfs $(options) "$mount"
	limits_hold "$mount"
	fusermount3 -u "$mount"
	await not_running
	ten_lines "$mount" '^$' systemd-run --user --scope -q -p Delegate=yes
}

service_starts() {
	systemctl enable --now mimobox
	mountpoint -q /run/mimobox
	systemctl --no-pager status mimobox
}

service_limits() { limits_hold /run/mimobox; }
service_counts_sessions() { counted_in_the_unit /run/mimobox systemctl; }
service_reload() { reload_with_a_cat /run/mimobox systemctl; }
service_server_killed() { server_killed /run/mimobox systemctl; }
service_keeper_killed() { keeper_killed /run/mimobox systemctl; }
service_of_alice() { as_alice shared_mount; }
shared_mount() {
	start /run/mimobox/hers <<<'command id -un; exit 6'
	[ "$(cat /run/mimobox/hers/exit)" = 6 ]
	cat /run/mimobox/hers/output
	rmdir /run/mimobox/hers
}
service_stop() { stop_leaves_nothing /run/mimobox systemctl; }

alice_service_starts() { as_alice own_service; }
own_service() {
	systemctl --user enable --now mimobox
	mountpoint -q "$XDG_RUNTIME_DIR/mimobox"
	systemctl --user --no-pager status mimobox
}
alice_service_ten_lines() { as_alice own_ten_lines; }
own_ten_lines() {
	local mount=$XDG_RUNTIME_DIR/mimobox
	start "$mount/build" <<<'memory 512M'
	echo 'uname -a; exit 3' >"$mount/build/input"
	cat "$mount/build/output"
	[ "$(cat "$mount/build/exit")" = 3 ]
	rmdir "$mount/build"
}
alice_service_limits() { as_alice limits_hold '$XDG_RUNTIME_DIR/mimobox'; }
alice_service_counts_sessions() { as_alice counted_in_the_unit '$XDG_RUNTIME_DIR/mimobox' systemctl --user; }
alice_service_reload() { as_alice reload_with_a_cat '$XDG_RUNTIME_DIR/mimobox' systemctl --user; }
alice_service_server_killed() { as_alice server_killed '$XDG_RUNTIME_DIR/mimobox' systemctl --user; }
alice_service_keeper_killed() { as_alice keeper_killed '$XDG_RUNTIME_DIR/mimobox' systemctl --user; }
alice_service_stop() {
	as_alice stop_leaves_nothing '$XDG_RUNTIME_DIR/mimobox' systemctl --user
	as_alice systemctl_disable
}
systemctl_disable() { systemctl --user disable mimobox; }

# With AppArmor 4, which knows of user namespaces, the package's profile is loaded, and alice's daemon
# runs by it, also where programs without such a profile are refused them, as on Ubuntu.
alice_under_apparmor() {
	local profiles=/sys/kernel/security/apparmor/profiles
	local restrict=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
	if ! aa-enabled --quiet || ! echo 'profile try { userns, }' | apparmor_parser -QT; then
		echo "AppArmor is not on here, or knows nothing of user namespaces: no profile"
		not grep '^mimobox ' $profiles
		return
	fi
	grep '^mimobox ' $profiles
	[ ! -e $restrict ] || echo 1 >$restrict
	as_alice own_service_once
	[ ! -e $restrict ] || echo 0 >$restrict
}
own_service_once() {
	systemctl --user start mimobox
	own_ten_lines
	grep '^mimobox (' "/proc/$(systemctl --user show -P MainPID mimobox)/attr/current"
	systemctl --user stop mimobox
}

# While the service runs a session.
purge_leaves_nothing() {
	rm -f /etc/default/mimobox /etc/mimobox.defaults
	[ ! -s "$here/defaults" ] || printf 'MIMOBOX_OPTIONS="--defaults %s"\n' "$here/defaults" >/etc/default/mimobox
	systemctl start mimobox
	start /run/mimobox/running <<<'command exec sleep 4713'
	await pgrep -f '^sleep 4713'
	dpkg -L mimobox | while read -r file; do [ -d "$file" ] || echo "$file"; done >"$scratch/files"
	DEBIAN_FRONTEND=noninteractive apt-get purge -y mimobox
	rm -rf /etc/default/mimobox ~alice/.config/mimobox
	not mountpoint -q /run/mimobox
	not pgrep -f '^mimobox|^sleep 4713'
	[ -z "$(find /sys/fs/cgroup -name '*mimobox*' -not -name '*mimobox-vm*')" ]
	not grep -q '^mimobox ' /sys/kernel/security/apparmor/profiles
	while read -r file; do [ ! -e "$file" ]; done <"$scratch/files"
	find / -xdev -name '*mimobox*' -not -name '*mimobox-vm*' -not -path '/mnt/*' -not -path '/sys/*' \
		-not -path '/proc/*' -not -path '/tmp/smoke*' >"$scratch/left"
	find /run /dev/shm /tmp -name '*mimobox*' -not -name '*mimobox-vm*' -not -path '/tmp/smoke*' >>"$scratch/left"
	cat "$scratch/left"
	[ ! -s "$scratch/left" ]
}

# --- running them

facts() {
	echo "info kernel $(uname -r), systemd $(systemctl --version | awk 'NR == 1 { print $2 }'), $(nproc) processors"
	echo "info lsm $(cat /sys/kernel/security/lsm 2>/dev/null || echo unknown)"
	echo "info apparmor enabled $(cat /sys/module/apparmor/parameters/enabled 2>/dev/null || echo no), restricts user namespaces: $(sysctl -n kernel.apparmor_restrict_unprivileged_userns 2>/dev/null || echo no such sysctl)"
	[ ! -s "$here/defaults" ] || echo "info defaults of this machine: $(tr '\n' ';' <"$here/defaults")"
}

if [ "$1" = --inside ]; then
	shift
	scratch=$(mktemp -d /tmp/smoke-XXXXXX)
	by_hand= # a mount that ends with the check
	trap '{ set +x; } 2>/dev/null; [ -z "$by_hand" ] || fusermount3 -u -q "$by_hand" || :; rm -rf "$scratch"' EXIT
	set -eux
	eval "$*"
	exit
fi

checks="$*"
[ -n "$checks" ] || {
	facts
	checks=$(sed -n '/^# --- the checks/,/^# --- running/s/^\([a-z_]*\)() {.*/\1/p' "$0" |
		grep -Ev '^(refused_limits|delegated_scope|shared_mount|own_.*|systemctl_disable)$')
}
passed=0 failed=0
mkdir -p "$here/out"
for check in $checks; do
	began=$SECONDS
	log=$here/out/$check.log
	if timeout -k 5 "$bound" bash "$0" --inside "$check" >"$log" 2>&1 </dev/null; then
		echo "ok $check ($((SECONDS - began)) s)"
		passed=$((passed + 1))
	else
		echo "FAILED $check ($((SECONDS - began)) s)"
		tail -n "${LINES_SHOWN:-12}" "$log" | sed 's/^/    /'
		failed=$((failed + 1))
	fi
done
echo "$passed ok, $failed FAILED"
[ $failed -eq 0 ]
