package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// FreePort returns a port of this machine that nobody listens on, for what has to come back to the same one. It is
// below those that the system gives to outgoing connections: one of them could take it while it is not listened on.
func FreePort(t *testing.T) int {
	t.Helper()
	const least, most, tries = 20_000, 30_000, 100
	for range tries {
		port := least + rand.IntN(most-least) //nolint:gosec // any will do
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf(":%d", port))
		if err == nil {
			require.NoError(t, listener.Close())
			return port
		}
	}
	require.Fail(t, "no port is free")
	return 0
}
