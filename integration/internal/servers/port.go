package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// FreePort returns a port of this machine that nobody listens on, for a server that must return to the same port. It is
// below the ports of outgoing connections, because one of them could take it while the server is down.
func FreePort(t *testing.T) int {
	t.Helper()
	const least, most, tries = 20_000, 30_000, 100
	for range tries {
		port := least + rand.IntN(most-least) //nolint:gosec // any port is good
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf(":%d", port))
		if err == nil {
			require.NoError(t, listener.Close())
			return port
		}
	}
	require.Fail(t, "find a free port: none of those tried is free")
	return 0
}
