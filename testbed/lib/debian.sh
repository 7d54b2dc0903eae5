# What a Debian machine can install. Sourced, not run; needs base.sh.
# shellcheck shell=bash

# is_debian_root: true where packages can be installed, that is as root on Debian. (Ubuntu has other packages by the
# same names, and no unstable to build images from.)
is_debian_root() {
	[ "$(id -u)" = 0 ] && have apt-get && grep -qE '^ID="?debian"?$' /etc/os-release 2>/dev/null
}

# apt_install PACKAGE...: installs those that are missing; false, having said so, where that is not possible. Never
# at the price of a package that is there.
apt_install() {
	local package missing=()
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} = 0 ] && return 0
	say "installing ${missing[*]}"
	if [ -z "${apt_updated:-}" ]; then
		apt-get -q update >>"$cache/apt.log" 2>&1 || say "apt-get update had errors, going on (see testbed/.cache/apt.log)"
		apt_updated=yes
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-remove --no-install-recommends "${missing[@]}" \
		>>"$cache/apt.log" 2>&1 && return 0
	say "apt-get could not install ${missing[*]}, see testbed/.cache/apt.log"
	return 1
}
