#!/bin/sh
# Runs MariaDB with the settings of the official image that this project uses: MARIADB_ROOT_PASSWORD or
# MARIADB_ALLOW_EMPTY_PASSWORD, MARIADB_DATABASE, MARIADB_USER and MARIADB_PASSWORD, or the same with MYSQL_ in front.
# They count when the data directory is made, not later. Arguments go to mariadbd.
set -eu
data=/var/lib/mysql
init=/run/mysqld/init.sql

for setting in ROOT_PASSWORD ALLOW_EMPTY_PASSWORD DATABASE USER PASSWORD; do
	eval "MARIADB_$setting=\${MARIADB_$setting:-\${MYSQL_$setting:-}}"
done

quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"; }

# One statement a line, as the bootstrapping server reads them. It has loaded no users yet, and the defaults among
# them would be let in without a password.
write_init() {
	cat <<-SQL
		DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root' AND Host <> 'localhost';
		FLUSH PRIVILEGES;
		ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "${MARIADB_ROOT_PASSWORD:-}");
		CREATE USER 'root'@'%' IDENTIFIED BY $(quoted "${MARIADB_ROOT_PASSWORD:-}");
		GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
	SQL
	[ -z "${MARIADB_DATABASE:-}" ] || printf 'CREATE DATABASE `%s`;\n' "$MARIADB_DATABASE"
	[ -z "${MARIADB_USER:-}" ] || cat <<-SQL
		CREATE USER $(quoted "$MARIADB_USER")@'%' IDENTIFIED BY $(quoted "${MARIADB_PASSWORD:-}");
		GRANT ALL ON \`${MARIADB_DATABASE:-%}\`.* TO $(quoted "$MARIADB_USER")@'%';
	SQL
}

[ "${1:-}" != mariadbd ] || shift
install -d -o mysql -g mysql "$data" /run/mysqld
# The mark is there while the data directory is being made: one that was cut short is made again.
if [ ! -d "$data/mysql" ] || [ -e "$data/.unfinished" ]; then
	if [ -z "${MARIADB_ROOT_PASSWORD:-}${MARIADB_ALLOW_EMPTY_PASSWORD:-}" ]; then
		echo "set MARIADB_ROOT_PASSWORD or MARIADB_ALLOW_EMPTY_PASSWORD" >&2
		exit 1
	fi
	find "$data" -mindepth 1 -delete
	touch "$data/.unfinished"
	write_init >"$init"
	mariadb-install-db --no-defaults --datadir="$data" --user=mysql --auth-root-authentication-method=normal \
		--skip-test-db --extra-file="$init"
	rm "$init" "$data/.unfinished"
fi
exec mariadbd --user=mysql --skip-name-resolve --character-set-server=utf8mb4 "$@"
