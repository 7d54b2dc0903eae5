package ssestreamtest_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func startProxy(t *testing.T, target string) *ssestreamtest.Proxy {
	t.Helper()
	proxy, err := ssestreamtest.StartProxy(target)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })

	return proxy
}

// wire is a proxy in front of a listener whose connections the test serves.
type wire struct {
	*ssestreamtest.Proxy
	server net.Listener
}

func newWire(t *testing.T) wire {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })

	return wire{Proxy: startProxy(t, "tcp://"+listener.Addr().String()), server: listener}
}

func (w wire) tryDial(t *testing.T) (net.Conn, error) {
	t.Helper()
	u, err := url.Parse(w.URL())
	require.NoError(t, err)

	return (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
}

// dial connects a client.
func (w wire) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	conn, err := w.tryDial(t)
	require.NoError(t, err)

	return tcp(t, conn)
}

// accept returns the server's side of the next connection.
func (w wire) accept(t *testing.T) *net.TCPConn {
	t.Helper()
	conn, err := w.server.Accept()
	require.NoError(t, err)

	return tcp(t, conn)
}

func tcp(t *testing.T, conn net.Conn) *net.TCPConn {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	tcp, ok := conn.(*net.TCPConn)
	require.True(t, ok)

	return tcp
}

// connect returns both sides of a connection that has forwarded a byte from the server.
func (w wire) connect(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	client = w.dial(t)
	server = w.accept(t)
	send(t, server, "!")
	require.Equal(t, "!", receive(t, client, 1))

	return client, server
}

func send(t *testing.T, conn net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(conn, s)
	require.NoError(t, err)
}

func receive(t *testing.T, conn net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(conn, b)
	require.NoError(t, err)

	return string(b)
}

// end returns the bytes before the end, and the error.
func end(conn net.Conn) (string, error) {
	b, err := io.ReadAll(conn)

	return string(b), err
}

// requireNothing checks that nothing has come, not even an end.
func requireNothing(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	got, err := end(conn)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Empty(t, got)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
}

func requireReset(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	require.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE), "%v", err)
}

// requireRefusal checks that a new connection is reset, perhaps while it is dialed.
func requireRefusal(t *testing.T, w wire) {
	t.Helper()
	conn, err := w.tryDial(t)
	if err == nil {
		_, err = end(tcp(t, conn))
	}
	requireReset(t, err)
}
