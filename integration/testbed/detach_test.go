// Package testbed_test tests the shell functions that bring up the servers of the other tests.
package testbed_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestADaemonHoldsNoLockOfItsCaller: a caller that runs testbed/up under flock gets its lock back when the script
// ends, although the daemon that the script started lives on.
func TestADaemonHoldsNoLockOfItsCaller(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, log := filepath.Join(dir, "lock"), filepath.Join(dir, "log")
	script := `
set -euo pipefail
exec 7>"$1" 8<"$1"
flock 7
. ../../testbed/lib/base.sh
detach "$2" sleep 1000
echo $!`
	output, err := exec.CommandContext(t.Context(), "bash", "-c", script, "bash", lock, log).Output()
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(output)))
	require.NoError(t, err)
	daemon, err := os.FindProcess(pid)
	require.NoError(t, err)
	t.Cleanup(func() { _ = daemon.Kill() })

	require.Eventually(t, func() bool {
		return exec.CommandContext(t.Context(), "flock", "-n", lock, "true").Run() == nil
	}, time.Minute, 10*time.Millisecond, "the daemon holds the lock")
	require.NoError(t, daemon.Signal(syscall.Signal(0)), "the daemon ended")
}
