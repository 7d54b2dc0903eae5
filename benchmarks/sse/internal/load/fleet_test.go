//go:build linux

package load_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newFleet returns a fleet whose clients connect to the handler.
func newFleet(t *testing.T, stream load.Stream, handler http.HandlerFunc) *load.Fleet {
	t.Helper()
	site := httptest.NewServer(handler)
	t.Cleanup(site.Close)
	fleet, err := load.NewFleet(netip.MustParseAddrPort(site.Listener.Addr().String()), stream)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fleet.Close()) })

	return fleet
}

// TestFleet tests that clients receive one state on connecting and a later one.
func TestFleet(t *testing.T) {
	t.Parallel()
	const clients = 30
	next := make(chan struct{})
	headers := make(chan http.Header, clients)
	fleet := newFleet(t, load.Stream{Path: "/feed"}, func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		for _, state := range []string{"1000000000", "1000000001"} {
			_, _ = io.WriteString(w, `data: {"n":`+state+"}\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
			}
		}
		<-r.Context().Done()
	})
	require.NoError(t, fleet.Connect(t.Context(), clients, 7, "41"))
	for range clients {
		header := <-headers
		require.Equal(t, "text/event-stream", header.Get("Accept"))
		require.Equal(t, "41", header.Get("Last-Event-ID"))
	}

	fleet.Time(true)
	fleet.Expect(1000000001, time.Now())
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, fleet.Await(short), context.DeadlineExceeded)
	close(next)
	require.NoError(t, fleet.Await(t.Context()))
	require.Len(t, fleet.Receipts(), clients)
	require.Empty(t, fleet.Receipts(), "a second call returns none")
	require.Greater(t, fleet.Received(), int64(clients*len("data: {}\n\n")))
	failed, err := fleet.Failures()
	require.NoError(t, err)
	require.Zero(t, failed)
}

// TestFleetCountsFailures has servers that refuse, that end the response, and that cut the connection.
func TestFleetCountsFailures(t *testing.T) {
	t.Parallel()
	const state = `data: {"n":1000000000}`
	refusing := newFleet(t, load.Stream{Path: "/feed"}, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "full", http.StatusServiceUnavailable) })
	requireFailures(t, refusing, "503")

	ending := newFleet(t, load.Stream{Path: "/feed"}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, state+"\n\n")
		_ = http.NewResponseController(w).Flush()
	})
	requireFailures(t, ending, "response ended")

	cutting := newFleet(t, load.Stream{Path: "/feed"}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, state+"\n\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	requireFailures(t, cutting, "EOF")
}

// requireFailures connects clients, all of which must fail.
func requireFailures(t *testing.T, fleet *load.Fleet, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, fleet.Connect(ctx, 5, 5, ""))
	fleet.Expect(1000000001, time.Now())
	require.NoError(t, fleet.Await(ctx), "failed clients are not waited for")
	failed, err := fleet.Failures()
	require.Equal(t, 5, failed)
	require.ErrorContains(t, err, reason)
	require.NoError(t, fleet.Cut())
	failed, err = fleet.Failures()
	require.NoError(t, err)
	require.Zero(t, failed, "Cut resets the failures")
}

// TestOpaqueStream has a response whose bytes are no states: what comes after an update was sent passes for it, and Settle reads
// the rest of it.
func TestOpaqueStream(t *testing.T) {
	t.Parallel()
	const clients = 5
	update, rest := make(chan struct{}), make(chan struct{})
	var written sync.WaitGroup
	written.Add(clients)
	fleet := newFleet(t, load.Stream{Path: "/feed", Encoding: "zstd", Opaque: true}, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "zstd", r.Header.Get("Accept-Encoding"))
		send := func(part string, after <-chan struct{}) {
			select {
			case <-after:
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
		now := make(chan struct{})
		close(now)
		send("state", now)
		send("update", update)
		send("and its rest", rest)
		written.Done()
		<-r.Context().Done()
	})
	require.NoError(t, fleet.Connect(t.Context(), clients, clients, ""))
	require.NoError(t, fleet.Settle(t.Context()))
	fleet.Expect(1000000001, time.Now())
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, fleet.Await(short), context.DeadlineExceeded)
	close(update)
	require.NoError(t, fleet.Await(t.Context()))
	received := fleet.Received()
	close(rest)
	written.Wait()
	require.NoError(t, fleet.Settle(t.Context()))
	require.GreaterOrEqual(t, fleet.Received()-received, int64(clients*len("and its rest")))
}
