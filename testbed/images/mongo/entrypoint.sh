#!/bin/bash
# Runs FerretDB on port 27017, and the PostgreSQL that keeps its documents in /data/db. Takes no arguments: what is
# given to the official image's mongod means nothing here.
set -eu
data=/data/db
bin=/usr/lib/postgresql/18/bin
as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --)

# make_cluster: into a directory beside the final one, so that one that was cut short is made again.
make_cluster() {
	rm -rf "$data/new"
	"${as_postgres[@]}" "$bin/initdb" -A trust -E UTF8 --locale=C.UTF-8 -D "$data/new" >/dev/null
	cat >>"$data/new/postgresql.conf" <<-'CONF'
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '/run/postgresql'
		shared_preload_libraries = 'pg_cron, pg_documentdb_core, pg_documentdb, pg_documentdb_extended_rum'
		cron.database_name = 'postgres'
		dynamic_shared_memory_type = sysv
		shared_buffers = 256MB
		max_wal_size = 2GB
	CONF
	mv "$data/new" "$data/postgres"
}

stop() {
	trap - TERM INT
	kill -TERM "$ferretdb" 2>/dev/null || true
	wait "$ferretdb" || true
	"${as_postgres[@]}" "$bin/pg_ctl" -D "$data/postgres" -m fast -w stop >/dev/null || true
	exit "$1"
}

install -d -o postgres -g postgres "$data" /run/postgresql
[ -d "$data/postgres" ] || make_cluster
# The daemon before this one may have been killed; its number may be another process's in this container.
rm -f "$data/postgres/postmaster.pid"
"${as_postgres[@]}" "$bin/postgres" -D "$data/postgres" &
postgres=$!
until "$bin/pg_isready" -q -h 127.0.0.1; do
	kill -0 "$postgres"
	sleep 0.1
done
# With these settings an index returns documents in its order, as on MongoDB. They must be made before any index is.
"${as_postgres[@]}" psql -q -h 127.0.0.1 postgres <<-'SQL'
	SET client_min_messages = warning;
	CREATE EXTENSION IF NOT EXISTS documentdb CASCADE;
	CREATE EXTENSION IF NOT EXISTS documentdb_extended_rum;
	ALTER SYSTEM SET documentdb.alternate_index_handler_name = 'extended_rum';
	ALTER SYSTEM SET documentdb.enableIndexMetadataGlobalTracking = on;
	ALTER SYSTEM SET documentdb.enable_merge_sort_for_in_prefix = on;
	SELECT pg_reload_conf() \g /dev/null
SQL
"${as_postgres[@]}" ferretdb --postgresql-url=postgres://postgres@127.0.0.1:5432/postgres --listen-addr=:27017 \
	--no-auth --state-dir=/tmp --telemetry=disable --debug-addr=- &
ferretdb=$!
trap 'stop 0' TERM INT
# Neither is of use without the other.
wait -n || true
stop 1
