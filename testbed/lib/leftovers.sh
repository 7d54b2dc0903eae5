# Removes containers of killed test processes. Sourced, not run; needs base.sh.
# shellcheck shell=bash

# remove_leftovers removes the containers whose test process has ended. integration/internal/servers labels each container
# with its process (pid and start time), and with the boot and pid namespace in which the pid is valid.
remove_leftovers() {
	local here id state process place
	here=$(process_place) || return 0
	docker ps --all --filter label=feedmill.test.process \
		--format '{{.ID}} {{.State}} {{.Label "feedmill.test.process"}} {{.Label "feedmill.test.place"}}' |
		while read -r id state process place; do
			if [ "$place" = "$here" ]; then
				process_lives "${process%:*}" "${process#*:}" && continue
			else
				# A process of another boot, machine or container cannot be checked. Its running servers may be in use.
				[ "$state" = exited ] || continue
			fi
			say "removing the container $id, whose test has ended"
			docker rm --force --volumes "$id" >/dev/null || say "could not remove $id"
		done
}

# process_place prints the boot and pid namespace. It returns false without /proc, where containers have no labels.
process_place() {
	[ -r /proc/sys/kernel/random/boot_id ] && echo "$(cat /proc/sys/kernel/random/boot_id):$(readlink /proc/self/ns/pid)"
}

# process_lives PID START returns true if PID runs and was started START clock ticks after the boot.
process_lives() {
	local stat fields
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# The name is in parentheses and may contain anything. The state follows, and 19 fields later the start time.
	read -r -a fields <<<"${stat##*) }"
	[ "${fields[0]}" != Z ] && [ "${fields[19]}" = "$2" ]
}
