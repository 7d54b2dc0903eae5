package servers

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// processLabels name this process on the containers that it starts, so that testbed/up can remove those of a
// process that was killed: its number and start time, and the boot and namespace in which the number counts.
// A system without /proc has none; its tests run from public images, and so with the reaper of testcontainers.
func processLabels() map[string]string {
	stat, statErr := os.ReadFile("/proc/self/stat")
	boot, bootErr := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, namespaceErr := os.Readlink("/proc/self/ns/pid")
	if statErr != nil || bootErr != nil || namespaceErr != nil {
		return nil
	}
	// After the name, which is in parentheses and may hold anything: the state, and 19 further the start time.
	const startTime = 19
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= startTime {
		return nil
	}
	return map[string]string{
		"feedmill.test.process": fmt.Sprintf("%d:%s", os.Getpid(), fields[startTime]),
		"feedmill.test.place":   fmt.Sprintf("%s:%s", bytes.TrimSpace(boot), namespace),
	}
}
