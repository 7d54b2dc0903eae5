# Provides Docker: a running daemon, or one that is started here. Sourced, not run; needs base.sh and debian.sh.
# shellcheck shell=bash

docker_answers() { docker info >/dev/null 2>&1; }

# ensure_docker returns when a daemon answers, or exits.
ensure_docker() {
	docker_answers && return 0
	[ -z "${DOCKER_HOST:-}" ] || no_docker "no daemon answers at DOCKER_HOST ($DOCKER_HOST)"
	is_debian_root || no_docker "no daemon answers 'docker info', and only root on Debian can install one"
	# An installed dockerd is used, whatever its package. In Debian 13 the client is a separate package.
	have dockerd || apt_install docker.io || no_docker "apt-get could not install docker.io, see testbed/.cache/apt.log"
	have docker || apt_install docker-cli || no_docker "apt-get could not install docker-cli, see testbed/.cache/apt.log"
	start_dockerd
}

no_docker() { give_up "Docker is not available: $*"; }

# find_compose sets compose to the command of docker compose or docker-compose. It returns false if there is none.
find_compose() {
	if docker compose version >/dev/null 2>&1; then
		compose=(docker compose)
	elif have docker-compose; then
		compose=(docker-compose)
	else
		return 1
	fi
}

# ensure_compose returns if there is a compose, or exits.
ensure_compose() {
	find_compose && return 0
	is_debian_root || give_up "there is neither 'docker compose' nor docker-compose, and none can be installed here"
	apt_install docker-compose || give_up "there is neither 'docker compose' nor docker-compose, and apt-get could not install one"
}

start_dockerd() {
	local pid
	# A dockerd that is starting will answer, and one that is ending will be gone.
	await 300 dockerd_settled || no_docker "the dockerd that runs here does not answer"
	docker_answers && return 0
	is_running /var/run/docker/containerd/containerd.pid containerd || rm -f /var/run/docker/containerd/containerd.pid
	rm -f /var/run/docker.pid
	say "starting dockerd"
	detach "$cache/dockerd.log" dockerd
	pid=$!
	await 300 dockerd_came_up "$pid" || no_docker_see_log "dockerd did not answer within a minute"
	docker_answers || no_docker_see_log "dockerd ended at once"
	echo "$pid" >"$cache/dockerd.pid"
}

no_docker_see_log() {
	tail -n 15 "$cache/dockerd.log" >&2
	no_docker "$1, see testbed/.cache/dockerd.log"
}

dockerd_settled() { docker_answers || ! is_running /var/run/docker.pid dockerd; }

dockerd_came_up() { docker_answers || ! kill -0 "$1" 2>/dev/null; }

# is_running FILE NAME returns true if the process of the pid file FILE runs and has the name NAME. A killed daemon leaves its
# file, whose number may be that of another process by now, or of a zombie.
is_running() {
	local pid
	pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] &&
		! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" 2>/dev/null
}

# await TIMES COMMAND... tries COMMAND every 0.2 s until it succeeds, at most TIMES times.
await() {
	local left=$1
	shift
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 0.2
	done
}

# remember_docker writes what testcontainers-go must know of this daemon to testbed/.env.
remember_docker() {
	local endpoint
	forget DOCKER_HOST
	forget TESTCONTAINERS_HOST_OVERRIDE
	endpoint=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
	case $endpoint in
	'' | unix:///var/run/docker.sock) ;;
	*) remember DOCKER_HOST "$endpoint" ;;
	esac
	# Inside a container testcontainers-go expects published ports at the gateway. A daemon in the same container publishes
	# them here.
	if [ -e /.dockerenv ] && pgrep -x dockerd >/dev/null 2>&1; then
		remember TESTCONTAINERS_HOST_OVERRIDE 127.0.0.1
	fi
}
