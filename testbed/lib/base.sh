# Shared by the scripts of testbed/: where things are, and how they speak. Sourced, not run.
# shellcheck shell=bash

testbed=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$testbed/.cache
env_file=$testbed/.env
mkdir -p "$cache"

# Exit code for "this machine cannot have it": callers leave out what needs it, and say so.
readonly unavailable=3

say() { printf 'testbed: %s\n' "$*" >&2; }

fail() {
	say "$*"
	exit 1
}

give_up() {
	say "$*"
	exit "$unavailable"
}

have() { command -v "$1" >/dev/null 2>&1; }

# One testbed script at a time works in a checkout; the others wait for it.
lock() {
	have flock || return 0
	exec 9>"$cache/lock"
	flock 9
}

# remember NAME VALUE: puts NAME=VALUE into testbed/.env, in place of what it said before.
remember() {
	forget "$1"
	printf '%s=%s\n' "$1" "$2" >>"$env_file"
}

# forget NAME: takes NAME out of testbed/.env.
forget() {
	[ -e "$env_file" ] || return 0
	grep -v "^$1=" "$env_file" >"$env_file.new" || true
	mv "$env_file.new" "$env_file"
}

# detach LOG COMMAND...: runs COMMAND in a session of its own, in the background, with its output in LOG; $! is its
# process. It has no other descriptor of the caller, so that no lock of the caller is held for as long as it lives.
detach() {
	local log=$1 fd
	shift
	(
		for fd in /proc/self/fd/*; do
			fd=${fd##*/}
			[ "$fd" -le 2 ] || eval "exec $fd>&-"
		done
		exec setsid nohup "$@" >>"$log" 2>&1 </dev/null
	) &
}
