#!/bin/sh
# As in the official image, arguments that are flags go to nats-server.
case ${1:-} in
'' | -*) exec nats-server "$@" ;;
*) exec "$@" ;;
esac
