# Docker: the one that runs, or one started here. Sourced, not run; needs base.sh and debian.sh.
# shellcheck shell=bash

docker_answers() { docker info >/dev/null 2>&1; }

# ensure_docker: returns with a daemon that answers, or gives up.
ensure_docker() {
	docker_answers && return 0
	is_debian_root || give_up "no Docker daemon answers 'docker info', and none can be installed here (that takes root on Debian)"
	apt_install docker.io docker-compose mmdebstrap
	start_dockerd
}

start_dockerd() {
	local waited=0 pid
	remove_stale_pid /var/run/docker.pid dockerd
	remove_stale_pid /var/run/docker/containerd/containerd.pid containerd
	say "starting dockerd"
	# Its own session and no file of ours open: it outlives this script and holds neither our lock nor our output.
	setsid nohup dockerd >>"$cache/dockerd.log" 2>&1 </dev/null 9>&- &
	pid=$!
	until docker_answers; do
		kill -0 "$pid" 2>/dev/null || fail_with_log "dockerd ended at once"
		[ "$waited" -lt 300 ] || fail_with_log "dockerd did not answer within a minute"
		sleep 0.2
		waited=$((waited + 1))
	done
	echo "$pid" >"$cache/dockerd.pid"
}

# remove_stale_pid FILE NAME: a daemon that was killed leaves its pid file, and the number may be another process's now.
remove_stale_pid() {
	local pid
	[ -e "$1" ] || return 0
	pid=$(cat "$1")
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || rm -f "$1"
}

fail_with_log() {
	tail -n 15 "$cache/dockerd.log" >&2
	fail "$1, see testbed/.cache/dockerd.log"
}

# remember_docker: what testcontainers-go has to be told about this daemon.
remember_docker() {
	local endpoint
	forget DOCKER_HOST
	forget TESTCONTAINERS_HOST_OVERRIDE
	endpoint=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
	case $endpoint in
	'' | unix:///var/run/docker.sock) ;;
	*) remember DOCKER_HOST "$endpoint" ;;
	esac
	# Inside a container tests would reach published ports at the gateway. A daemon of our own publishes them here.
	if [ -e /.dockerenv ] && pgrep -x dockerd >/dev/null 2>&1; then
		remember TESTCONTAINERS_HOST_OVERRIDE 127.0.0.1
	fi
}
