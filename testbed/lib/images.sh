# Chooses and builds the image of each server. Sourced, not run; needs base.sh and debian.sh.
# shellcheck shell=bash

# local_tag NAME prints the name of the image that images/NAME/build makes.
local_tag() { echo "feedmill-testbed/$(cat "$testbed/images/$1/tag")"; }

# source_sum NAME prints a checksum of the sources of images/NAME, or nothing if there is no program for it.
source_sum() {
	cat "$testbed/lib/rootfs.sh" "$testbed/images/$1"/* | sha256 | cut -c1-16
}

sha256() {
	if have sha256sum; then
		sha256sum
	elif have shasum; then
		shasum -a 256
	fi
}

# has_local NAME returns true if the local image exists and has the present sources of images/NAME.
has_local() {
	local is should
	is=$(docker image inspect --format '{{index .Config.Labels "feedmill.source"}}' "$(local_tag "$1")" 2>/dev/null) || return 1
	should=$(source_sum "$1")
	[ -n "$should" ] && [ "$is" = "$should" ]
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# pull IMAGE prints why and returns false if the image cannot be pulled. If the first pull fails, later ones are not tried.
pull() {
	local reason
	[ "${registry:-}" != no ] || return 1
	say "pulling $1"
	if bounded docker pull -q "$1" >/dev/null 2>"$cache/pull.log"; then
		registry=yes
		return 0
	fi
	reason=$(tail -n 1 "$cache/pull.log")
	reason=${reason:-not within $pull_seconds s}
	if [ "${registry:-}" = yes ]; then
		say "could not pull $1 ($reason): it must be built from packages"
	else
		registry=no
		say "no image can be pulled ($reason): they must be built from packages"
	fi
	return 1
}

readonly pull_seconds=300

# bounded COMMAND... ends COMMAND after pull_seconds, if there is a timeout command (macOS has none).
bounded() {
	if have timeout; then
		timeout "$pull_seconds" "$@"
	else
		"$@"
	fi
}

# choose_image VARIABLE NAME PUBLIC chooses an image and writes it to testbed/.env as VARIABLE. It adds NAME to to_build if
# a local image must be built. VARIABLE in the environment wins, unless it names a local image, which may be outdated.
choose_image() {
	local variable=$1 name=$2 public=$3 given=${!1:-} image
	if [ -n "$given" ] && [ "${given#feedmill-testbed/}" = "$given" ]; then
		image=$given
	elif has_local "$name"; then
		image=$(local_tag "$name")
	elif has_image "$public"; then
		image=$public
	elif pull "$public"; then
		image=$public
	else
		image=$(local_tag "$name")
		# Several variables may share an image.
		case " ${to_build[*]-} " in *" $name "*) ;; *) to_build+=("$name") ;; esac
	fi
	case $image in feedmill-testbed/*) local_images=yes ;; esac
	remember "$variable" "$image"
	say "$(printf '%-23s %s' "$variable" "$image")"
}

# build_images NAME... builds the images of Debian packages one after the other, while Go compiles programs in parallel.
build_images() {
	local name compiling programs=()
	[ $# = 0 ] && return 0
	is_debian_root || give_up "images for $* can be neither pulled nor built here (building takes root on Debian)"
	have go || give_up "images for $* cannot be pulled, and building them takes Go on PATH"
	apt_install mmdebstrap || give_up "images for $* cannot be pulled, and apt-get could not install mmdebstrap, which builds them"
	for name in "$@"; do
		[ -e "$testbed/images/$name/module" ] && programs+=("$name")
	done
	compile_programs "${programs[@]}" &
	compiling=$!
	for name in "$@"; do
		[ -e "$testbed/images/$name/module" ] || build_image "$name"
	done
	wait "$compiling" || exit 1
	for name in "${programs[@]}"; do
		build_image "$name"
	done
}

# build_image NAME imports the root file system that images/NAME/build writes, with the settings of images/NAME/config.
build_image() {
	local name=$1 began=$SECONDS tag old line changes=()
	tag=$(local_tag "$name")
	old=$(docker image inspect --format '{{.Id}}' "$tag" 2>/dev/null || true)
	while read -r line; do
		changes+=(--change "$line")
	done <"$testbed/images/$name/config"
	rm -f "$cache/$name.tar"
	if ! "$testbed/images/$name/build" >"$cache/$name.tar" 2>"$cache/$name.log"; then
		tail -n 15 "$cache/$name.log" >&2
		fail "could not build the image for $name, see testbed/.cache/$name.log"
	fi
	docker import "${changes[@]}" --change "LABEL feedmill.source=$(source_sum "$name")" "$cache/$name.tar" "$tag" >/dev/null
	rm -f "$cache/$name.tar"
	# An image that a container still uses stays.
	[ -z "$old" ] || docker image rm "$old" >/dev/null 2>&1 || true
	say "built $tag in $((SECONDS - began)) s"
}

# compile_programs NAME... compiles the Go program of each image NAME into testbed/.cache/bin.
compile_programs() {
	local name module
	for name in "$@"; do
		module=$(cat "$testbed/images/$name/module")
		say "compiling $module"
		GOBIN=$cache/bin GOWORK=off CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' "$module" >"$cache/go-$name.log" 2>&1 ||
			fail "could not compile $module, see testbed/.cache/go-$name.log"
	done
}
