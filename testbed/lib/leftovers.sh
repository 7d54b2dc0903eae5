# Containers that a killed test process left. Sourced, not run; needs base.sh.
# shellcheck shell=bash

# remove_leftovers: removes the containers whose test process is gone. integration/internal/servers labels each with its
# process (pid and start time) and with where that number counts (boot and pid namespace).
remove_leftovers() {
	local here id state process place
	here=$(process_place) || return 0
	docker ps --all --filter label=feedmill.test.process \
		--format '{{.ID}} {{.State}} {{.Label "feedmill.test.process"}} {{.Label "feedmill.test.place"}}' |
		while read -r id state process place; do
			if [ "$place" = "$here" ]; then
				process_lives "${process%:*}" "${process#*:}" && continue
			else
				# A process of another boot, machine or container cannot be asked; its servers run as long as it needs them.
				[ "$state" = exited ] || continue
			fi
			say "removing the container $id, whose test is gone"
			docker rm --force --volumes "$id" >/dev/null || say "could not remove $id"
		done
}

# process_place: where the numbers of processes count. False on a system without /proc, where nothing is labelled.
process_place() {
	[ -r /proc/sys/kernel/random/boot_id ] && echo "$(cat /proc/sys/kernel/random/boot_id):$(readlink /proc/self/ns/pid)"
}

# process_lives PID START: PID runs, and is the process that started START clock ticks after the boot.
process_lives() {
	local stat fields
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# The name comes second, in parentheses, and may hold anything; the state is next, the start time 19 further.
	read -r -a fields <<<"${stat##*) }"
	[ "${fields[0]}" != Z ] && [ "${fields[19]}" = "$2" ]
}
