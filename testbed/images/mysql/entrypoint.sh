#!/bin/sh
# Runs MySQL with the settings of the official image that this project uses: MYSQL_ROOT_PASSWORD or
# MYSQL_ALLOW_EMPTY_PASSWORD, MYSQL_DATABASE, MYSQL_USER and MYSQL_PASSWORD. They count when the data directory is
# made, not later. Arguments go to mysqld.
set -eu
data=/var/lib/mysql
init=/run/mysqld/init.sql

quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"; }

# One statement a line, as an init file has to be.
write_init() {
	cat <<-SQL
		ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "${MYSQL_ROOT_PASSWORD:-}");
		CREATE USER 'root'@'%' IDENTIFIED BY $(quoted "${MYSQL_ROOT_PASSWORD:-}");
		GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
	SQL
	[ -z "${MYSQL_DATABASE:-}" ] || printf 'CREATE DATABASE `%s`;\n' "$MYSQL_DATABASE"
	[ -z "${MYSQL_USER:-}" ] || cat <<-SQL
		CREATE USER $(quoted "$MYSQL_USER")@'%' IDENTIFIED BY $(quoted "${MYSQL_PASSWORD:-}");
		GRANT ALL ON \`${MYSQL_DATABASE:-%}\`.* TO $(quoted "$MYSQL_USER")@'%';
	SQL
}

[ "${1:-}" != mysqld ] || shift
install -d -o mysql -g mysql "$data" /run/mysqld
# The mark is there while the data directory is being made: one that was cut short is made again.
if [ ! -d "$data/mysql" ] || [ -e "$data/.unfinished" ]; then
	if [ -z "${MYSQL_ROOT_PASSWORD:-}${MYSQL_ALLOW_EMPTY_PASSWORD:-}" ]; then
		echo "set MYSQL_ROOT_PASSWORD or MYSQL_ALLOW_EMPTY_PASSWORD" >&2
		exit 1
	fi
	find "$data" -mindepth 1 -delete
	touch "$data/.unfinished"
	write_init >"$init"
	mysqld --no-defaults --datadir="$data" --user=mysql --initialize-insecure --init-file="$init"
	rm "$init" "$data/.unfinished"
fi
exec mysqld --user=mysql --mysqlx=OFF --skip-name-resolve "$@"
