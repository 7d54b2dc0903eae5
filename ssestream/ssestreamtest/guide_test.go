package ssestreamtest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// journal serves a list of lines. An event's ID is the number of its line, so a client that reconnects continues after
// the last line that it has.
type journal struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed by the next line
}

func newJournal(lines ...string) *journal { return &journal{lines: lines, more: make(chan struct{})} }

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	close(j.more)
	j.more = make(chan struct{})
}

func (j *journal) after(n int) ([]string, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()

	return j.lines[min(n, len(j.lines)):], j.more
}

func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		lines, more := j.after(max(seen, 0))
		for _, line := range lines {
			seen++
			fmt.Fprintf(w, "id: %d\ndata: %s\n\n", seen, line)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

// TestJournalResumes tests the events of one connection.
func TestJournalResumes(t *testing.T) {
	t.Parallel()
	journal := newJournal("one", "two")
	server := httptest.NewServer(journal)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	stream, err := ssestreamtest.Connect(ctx, server.Client(), server.URL, ssestreamtest.WithLastEventID("1"))
	require.NoError(t, err)
	defer stream.Close()
	for _, want := range []string{"two", "three"} {
		event, err := stream.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, want, event.Data)
		journal.add("three")
	}
}

// TestJournalLosesNoLine has many clients whose connections break again and again, also within an event.
func TestJournalLosesNoLine(t *testing.T) {
	t.Parallel()
	journal := newJournal()
	server := httptest.NewServer(journal)
	defer server.Close()
	proxy, err := ssestreamtest.StartProxy(server.URL)
	require.NoError(t, err)
	defer proxy.Close()
	proxy.Set(ssestreamtest.Faults{CutAfter: 777})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	var clients []*ssestreamtest.Recorder
	for range 10 {
		source := ssestreamtest.Open(ctx, server.Client(), proxy.URL(), ssestreamtest.WithMaxWait(0))
		client := ssestreamtest.Record(source)
		defer client.Close()
		clients = append(clients, client)
	}
	for n := range 200 {
		journal.add(strconv.Itoa(n))
	}
	for _, client := range clients {
		require.NoError(t, client.Wait(ctx, func(r *ssestreamtest.Recorder) bool { return r.Last().Data == "199" }))
		for n, event := range client.Events() {
			require.Equal(t, strconv.Itoa(n), event.Data)
		}
		require.Greater(t, client.Connections(), 1)
	}
}

// TestStalledClientDelaysNoOther has one client that stalls and one that reads.
func TestStalledClientDelaysNoOther(t *testing.T) {
	t.Parallel()
	journal := newJournal("first")
	server := httptest.NewUnstartedServer(journal)
	server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(64 << 10)
		}

		return ctx
	}
	server.Start()
	defer server.Close()
	proxy, err := ssestreamtest.StartProxy(server.URL)
	require.NoError(t, err)
	defer proxy.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	stalled := ssestreamtest.Record(ssestreamtest.Open(ctx, server.Client(), proxy.URL()))
	defer stalled.Close()
	live := ssestreamtest.Record(ssestreamtest.Open(ctx, server.Client(), server.URL))
	defer live.Close()
	has := func(n int) func(*ssestreamtest.Recorder) bool {
		return func(r *ssestreamtest.Recorder) bool { return len(r.Events()) == n }
	}
	require.NoError(t, stalled.Wait(ctx, has(1)))

	proxy.Set(ssestreamtest.Faults{Stall: true})
	for range 99 {
		journal.add(strings.Repeat("x", 100<<10))
	}
	require.NoError(t, live.Wait(ctx, has(100)))
	require.Equal(t, "first", stalled.Last().Data)

	proxy.Set(ssestreamtest.Faults{})
	require.NoError(t, stalled.Wait(ctx, has(100)))
	require.Equal(t, 1, stalled.Connections())
}
