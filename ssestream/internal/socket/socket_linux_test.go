package socket_test

import (
	"crypto/tls"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/internal/socket"
)

// TestTune sets the options of this kernel, and fails where it has none, inside of whatever the connection is wrapped in.
func TestTune(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"TCP": func(c net.Conn) net.Conn { return c },
		"TLS": func(c net.Conn) net.Conn { return tls.Server(c, &tls.Config{MinVersion: tls.VersionTLS13}) },
	} {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
		require.NoError(t, err)
		socket.Tune(wrap(conn), 1500*time.Millisecond)
		assert.Equal(t, 1500, option(t, conn, 18), name)
		assert.Equal(t, socket.Unsent, option(t, conn, 25), name)
		require.NoError(t, conn.Close())
		socket.Tune(wrap(conn), time.Second) // does nothing
		require.NoError(t, listener.Close())
	}
	a, b := net.Pipe()
	socket.Tune(a, time.Second) // has no such thing
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
}

func option(t *testing.T, conn net.Conn, name int) (value int) {
	t.Helper()
	tcp, ok := conn.(syscall.Conn)
	require.True(t, ok)
	raw, err := tcp.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		value, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, name)
		assert.NoError(t, err)
	}))

	return value
}
