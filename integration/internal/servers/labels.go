package servers

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// processLabels are labels for the containers of this process, so that testbed/up can remove those of a killed process. They
// name the process by its number and start time, and the boot and namespace in which the number is valid. A system without
// /proc has no labels. There the tests use public images, and the reaper of testcontainers removes the containers.
func processLabels() map[string]string {
	stat, statErr := os.ReadFile("/proc/self/stat")
	boot, bootErr := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, namespaceErr := os.Readlink("/proc/self/ns/pid")
	if statErr != nil || bootErr != nil || namespaceErr != nil {
		return nil
	}
	// The name is in parentheses and may contain anything. The state follows, and 19 fields later the start time.
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
