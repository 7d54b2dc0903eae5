package network_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// alone runs f in a process that has a network of its own, with nothing but a loopback.
func alone(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	const inside = "FEEDMILL_NETWORK_OF"
	if os.Getenv(inside) == t.Name() {
		command(t, "ip", "link", "set", "lo", "mtu", "1500", "up")
		f(t)

		return
	}
	test := exec.CommandContext(t.Context(), "unshare", "--map-root-user", "--net",
		os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "3m")
	test.Env = append(os.Environ(), inside+"="+t.Name())
	output, err := test.CombinedOutput()
	require.NoError(t, err, string(output))
	t.Logf("%s", output)
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, output)
}

// cut cuts the network: nothing arrives any more, and nobody is told.
func cut(t *testing.T) {
	t.Helper()
	command(t, "iptables", "--append", "INPUT", "--jump", "DROP")
}

// slow makes the network transport so many bits a second.
func slow(t *testing.T, rate string) {
	t.Helper()
	command(t, "tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", rate, "burst", "4kb", "limit", "64kb")
}
