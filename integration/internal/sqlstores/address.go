package sqlstores

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Address is a name that leads to one server and, after a failover, to another. Connections that are open stay where they are.
type Address struct {
	mu     sync.Mutex
	target string
}

// Lead makes new connections lead to a server.
func (a *Address) Lead(target string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.target = target
}

// Listen accepts connections until the test ends, and returns where.
func (a *Address) Listen(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			a.mu.Lock()
			target := a.target
			a.mu.Unlock()
			running.Go(func() { join(client, target) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		running.Wait()
	})
	return listener.Addr().String()
}

// join passes bytes between a client and a server until one of them ends.
func join(client net.Conn, target string) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}
