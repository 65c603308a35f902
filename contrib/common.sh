# SPDX-License-Identifier: MIT
# Sourced by contrib/run, contrib/test, contrib/bench, contrib/fuzz, contrib/model, contrib/soak and
# contrib/deb: packages, the build.

here=$(cd "$(dirname "$0")/.." && pwd)

# The packages of the kinds given (build, run, test, bench, fuzz, model, deb) that are not installed,
# those left out whose command is there: a Node that is not Debian's would not go with Debian's npm. Those
# of another architecture than this machine's are left out, too.
missing_packages() {
	for kind; do
		sed -n "s/^$kind //p" "$here/contrib/packages"
	done | while read -r package command; do
		[ -z "$command" ] || ! command -v "$command" >/dev/null || continue
		case $package in
		*:*) [ "${package#*:}" = "$(dpkg --print-architecture)" ] || continue ;;
		esac
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		'install ok installed') ;;
		*) echo "$package" ;;
		esac
	done
}

# Installs them, as root; otherwise says what to install, and ends.
need_packages() {
	missing=$(missing_packages "$@" | xargs)
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "Missing packages. As root: apt-get install $missing" >&2
		exit 1
	fi
	echo "Installing: $missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q >/dev/null
	# shellcheck disable=SC2086
	apt-get install -q -y --no-install-recommends $missing >/dev/null
}

# Installs what the package.json in a directory names, where that has changed.
node_packages() {
	cmp -s "$1/package-lock.json" "$1/node_modules/.installed" && return
	(cd "$1" && npm ci --no-audit --no-fund >/dev/null) &&
		cp "$1/package-lock.json" "$1/node_modules/.installed"
}

# build DIR MESON-OPTIONS...: configures DIR where it is new, and builds.
build() {
	dir=$1
	shift
	if [ -f "$dir/build.ninja" ]; then
		meson setup --reconfigure "$dir" "$here" "$@"
	else
		meson setup "$dir" "$here" "$@"
	fi >"$dir.log" 2>&1 && ninja -C "$dir" >>"$dir.log" 2>&1 || {
		cat "$dir.log" >&2
		return 1
	}
	rm -f "$dir.log"
}
