#!/bin/sh
# Runs PostgreSQL with the settings of the official image that this project uses: POSTGRES_PASSWORD or
# POSTGRES_HOST_AUTH_METHOD=trust, POSTGRES_USER and POSTGRES_DB, which count when the data directory is made, and PGDATA.
# Arguments that are flags go to postgres. As pgbouncer, it runs PgBouncer.
set -eu
data=${PGDATA:-/var/lib/postgresql/data}
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }

# make_cluster: into a directory beside the final one, so that one that was cut short is made again.
make_cluster() {
	method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
	if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
		echo "set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD to trust" >&2
		exit 1
	fi
	rm -rf "$data.new"
	printf %s "${POSTGRES_PASSWORD:-none}" >/run/postgresql/password
	chown postgres /run/postgresql/password
	as_postgres initdb --auth-local=trust --auth-host=trust --encoding=UTF8 --locale=C.UTF-8 \
		--username="${POSTGRES_USER:-postgres}" --pwfile=/run/postgresql/password -D "$data.new" >/dev/null
	rm /run/postgresql/password
	echo "host all all all $method" >>"$data.new/pg_hba.conf"
	echo "listen_addresses = '*'" >>"$data.new/postgresql.conf"
	if [ "${POSTGRES_DB:-${POSTGRES_USER:-postgres}}" != postgres ]; then
		printf 'CREATE DATABASE "%s";\n' "${POSTGRES_DB:-$POSTGRES_USER}" |
			as_postgres postgres --single -j -D "$data.new" postgres >/dev/null
	fi
	mv "$data.new" "$data"
}

case ${1:-} in
'' | -*) set -- postgres "$@" ;;
esac
case $1 in
postgres)
	install -d -o postgres -g postgres "$(dirname "$data")" /run/postgresql
	[ -d "$data" ] && [ -n "$(ls -A "$data")" ] || { rm -rf "$data" && make_cluster; }
	# The server before this one may have been killed; its number may be another process's in this container.
	rm -f "$data/postmaster.pid"
	shift
	setpriv --reuid=postgres --regid=postgres --init-groups -- postgres -D "$data" "$@" &
	server=$!
	# PostgreSQL would wait for its clients on SIGTERM. The official image stops with SIGINT.
	trap 'kill -INT "$server"' TERM INT
	code=0
	wait "$server" || code=$?
	while kill -0 "$server" 2>/dev/null; do # a signal ended the wait
		code=0
		wait "$server" || code=$?
	done
	exit "$code"
	;;
*) exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$@" ;;
esac
