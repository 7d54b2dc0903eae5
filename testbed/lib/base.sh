# Paths, messages and functions that the scripts of testbed/ share. Sourced, not run.
# shellcheck shell=bash

testbed=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$testbed/.cache
env_file=$testbed/.env
mkdir -p "$cache"

# The exit code for something that this machine cannot have.
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

# lock makes the scripts of a checkout run one at a time.
lock() {
	have flock || return 0
	exec 9>"$cache/lock"
	flock 9
}

# remember NAME VALUE writes NAME=VALUE to testbed/.env, in place of an earlier value.
remember() {
	forget "$1"
	printf '%s=%s\n' "$1" "$2" >>"$env_file"
}

# forget NAME removes NAME from testbed/.env.
forget() {
	[ -e "$env_file" ] || return 0
	grep -v "^$1=" "$env_file" >"$env_file.new" || true
	mv "$env_file.new" "$env_file"
}

# detach LOG COMMAND... runs COMMAND in the background, in its own session, with its output in LOG. $! is its process. It
# inherits no other descriptor, because it would hold a lock of the caller for as long as it lives.
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
