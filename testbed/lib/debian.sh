# Installation of Debian packages. Sourced, not run; needs base.sh.
# shellcheck shell=bash

# is_debian_root returns true if packages can be installed, that is, as root on Debian. Ubuntu has other packages of the same
# names, and no unstable release to build images from.
is_debian_root() {
	[ "$(id -u)" = 0 ] && have apt-get && grep -qE '^ID="?debian"?$' /etc/os-release 2>/dev/null
}

# apt_install PACKAGE... installs missing packages, and removes none. If it cannot, it prints why and returns false.
apt_install() {
	local package missing=()
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} = 0 ] && return 0
	say "installing ${missing[*]}"
	if [ -z "${apt_updated:-}" ]; then
		apt-get -q update >>"$cache/apt.log" 2>&1 || say "apt-get update failed, continuing without it (see testbed/.cache/apt.log)"
		apt_updated=yes
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-remove --no-install-recommends "${missing[@]}" \
		>>"$cache/apt.log" 2>&1 && return 0
	say "apt-get could not install ${missing[*]}, see testbed/.cache/apt.log"
	return 1
}
