# Root file systems made of Debian packages. Sourced, not run; needs base.sh.
# shellcheck shell=bash

# debian_mirror: the first mirror among this machine's own apt sources, of either format, that has Debian's main
# archive (and so unstable too), rather than security updates or somebody's own packages.
debian_mirror() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
		awk '$3 == "main" && $2 !~ /security|updates|backports/ && ($4 == "" || $4 == "Debian") { print $1; exit }'
}

# root_file_system SUITE PACKAGES [ARGUMENT...]: writes a tar of a minimal Debian with PACKAGES (comma separated) to
# standard output. Further arguments go to mmdebstrap.
root_file_system() {
	local suite=$1 packages=$2 mirror
	shift 2
	mirror=$(debian_mirror)
	[ -n "$mirror" ] || fail "no Debian mirror among the apt sources of this machine"
	# Snapshots of the archive are old by design, hence no Check-Valid-Until; signatures are still verified.
	mmdebstrap --quiet --mode=root --variant=minbase --format=tar --include="$packages" \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
		"$@" "$suite" - "deb $mirror $suite main"
}
