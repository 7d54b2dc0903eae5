#!/bin/sh
# As in the official image, arguments that are flags go to redis-server, which keeps its files in /data and, having no
# password, listens to the outside only where it is told that this is meant.
set -eu
case ${1:-} in
'' | -*) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
	shift
	install -d -o redis -g redis /data
	cd /data
	exec setpriv --reuid=redis --regid=redis --init-groups -- redis-server --protected-mode no "$@"
fi
exec "$@"
