package benchmarks_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/starfederation/datastar-go/datastar"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// item is a post of the page that all clients follow.
type item struct {
	ID, Author, Title, Content string
	Likes                      int
	Created                    time.Time
}

// timeline is a page of a feed that changes.
type timeline struct {
	most int // items

	mu    sync.Mutex
	items []item
	n     uint64
}

func newTimeline(items int) *timeline {
	tl := &timeline{most: items}
	for range items {
		tl.post()
	}

	return tl
}

// post adds a post, and removes the last where the page is full.
func (tl *timeline) post() {
	tl.mu.Lock()
	defer tl.mu.Unlock()
	tl.n++
	r := rand.New(rand.NewPCG(tl.n, 0))
	words := make([]string, 60)
	for i := range words {
		words[i] = vocabulary[int(float64(len(vocabulary))*r.Float64()*r.Float64())]
	}
	tl.items = append([]item{{
		ID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), Author: words[0] + strconv.Itoa(r.IntN(100)),
		Title: strings.Join(words[1:6], " "), Content: strings.Join(words[6:], " "),
		Likes: r.IntN(100), Created: time.Unix(1.7e9+int64(tl.n)*37, r.Int64N(1e9)).UTC(),
	}}, tl.items[:min(len(tl.items), tl.most-1)]...)
}

// like changes one count of the page.
func (tl *timeline) like() {
	tl.mu.Lock()
	defer tl.mu.Unlock()
	tl.items = append([]item{}, tl.items...)
	tl.items[len(tl.items)/2].Likes++
}

func (tl *timeline) page() []item {
	tl.mu.Lock()
	defer tl.mu.Unlock()

	return tl.items
}

// vocabulary has 2,000 words, of which the first are frequent.
var vocabulary = func() []string { //nolint:gochecknoglobals // made once
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 2000)
	for i := range words {
		for range 2 + r.IntN(8) {
			words[i] += string(rune('a' + r.IntN(26)))
		}
	}

	return words
}()

// sinks are clients in a process of their own, which discards what they read and counts its bytes.
type sinks struct {
	requests io.WriteCloser
	answers  *bufio.Scanner
}

const sinkVariable = "FEEDMILL_BENCHMARK_SINKS"

// TestMain becomes the clients of a benchmark where a benchmark says so.
func TestMain(m *testing.M) {
	if address, ok := os.LookupEnv(sinkVariable); ok {
		discard(address)

		return
	}
	os.Exit(m.Run())
}

// discard has clients read until its standard input ends. It writes how much they have read whenever a line is there.
func discard(told string) {
	var address, encoding string
	var n int
	if _, err := fmt.Sscan(told, &address, &n, &encoding); err != nil {
		panic(err)
	}
	var read atomic.Int64
	for range n {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAccept-Encoding: %s\r\n\r\n", encoding)
		go func() {
			buf := make([]byte, 64<<10)
			for {
				n, err := conn.Read(buf)
				read.Add(int64(n))
				if err != nil {
					return
				}
			}
		}()
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Fprintln(os.Stdout, read.Load())
	}
}

func startSinks(b *testing.B, address string, n int, encoding string) *sinks {
	b.Helper()
	self, err := os.Executable()
	require.NoError(b, err)
	process := exec.CommandContext(b.Context(), self)
	process.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", sinkVariable, address, n, encoding))
	process.Stderr = os.Stderr
	requests, err := process.StdinPipe()
	require.NoError(b, err)
	answers, err := process.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, process.Start())
	b.Cleanup(func() {
		_ = requests.Close()
		_ = process.Wait()
	})

	return &sinks{requests: requests, answers: bufio.NewScanner(answers)}
}

// read returns how many bytes have been read, when that is no longer growing.
func (s *sinks) read(b *testing.B) int64 {
	b.Helper()
	for before := int64(-1); ; {
		_, err := fmt.Fprintln(s.requests)
		require.NoError(b, err)
		require.True(b, s.answers.Scan())
		n, err := strconv.ParseInt(s.answers.Text(), 10, 64)
		require.NoError(b, err)
		if n == before {
			return n
		}
		before = n
		<-time.After(20 * time.Millisecond)
	}
}

// server serves a timeline.
type server interface {
	http.Handler

	announce(b *testing.B) // has all clients sent what has changed
	frames() int64         // that were written
}

// routed is a router of this module.
type routed struct {
	http.Handler

	router *ssestream.Router
}

func newRouted(b *testing.B, tl *timeline) server {
	b.Helper()
	router, err := ssestream.NewRouter(ssestream.RouterConfig{Resync: ssestream.Off}, watermill.NopLogger{})
	require.NoError(b, err)
	adapter, err := ssestream.AdapterBuilder[struct{}, []item]{
		RequestKey: func(*http.Request) (string, error) { return "timeline", nil },
		EventKeys:  func(struct{}) []string { return []string{"timeline"} },
		Load:       func(context.Context, string) ([]item, error) { return tl.page(), nil },
		Compress:   true,
	}.Build()
	require.NoError(b, err)
	h := router.AddHandler("changed", adapter)
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	b.Cleanup(func() {
		require.NoError(b, router.Close())
		require.NoError(b, <-ended)
	})
	<-router.Running()

	return routed{h, router}
}

func (r routed) announce(b *testing.B) {
	b.Helper()
	require.NoError(b, r.router.Publish("changed", message.NewMessage(watermill.NewUUID(), message.Payload("{}"))))
}

func (r routed) frames() int64 { return r.router.Stats().Frames }

// compressors has a compressor for each client, that of datastar-go with its defaults, and one encoding of the state for all.
type compressors struct {
	timeline *timeline
	written  atomic.Int64

	mu      sync.Mutex
	current string
	changed chan struct{}
}

func newCompressors(b *testing.B, tl *timeline) server {
	b.Helper()
	c := &compressors{timeline: tl, changed: make(chan struct{})}
	c.announce(b)

	return c
}

func (c *compressors) state() (string, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.current, c.changed
}

func (c *compressors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sse := datastar.NewSSE(w, r, datastar.WithCompression())
	for r.Context().Err() == nil {
		state, changed := c.state()
		if sse.Send("data", []string{state}) != nil {
			return
		}
		c.written.Add(1)
		select {
		case <-changed:
		case <-r.Context().Done():
		}
	}
}

func (c *compressors) announce(b *testing.B) {
	b.Helper()
	encoded, err := json.Marshal(c.timeline.page())
	require.NoError(b, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = string(encoded)
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *compressors) frames() int64 { return c.written.Load() }

// BenchmarkCompression has clients in another process follow a page that changes. It reports, for a client and a change, what
// was sent, and the time of this process on all processors, the system's included; and the memory of a client.
func BenchmarkCompression(b *testing.B) {
	servers := []struct {
		name, encoding string
		start          func(*testing.B, *timeline) server
	}{
		{"plain", "identity", newRouted},
		{"gzip", "gzip", newRouted},
		{"zstd", "zstd", newRouted},
		{"datastar-gzip", "gzip", newCompressors},
		{"datastar-zstd", "zstd", newCompressors},
	}
	for _, items := range []int{50, 168} {
		for what, change := range map[string]func(*timeline){"post": (*timeline).post, "count": (*timeline).like} {
			for _, s := range servers {
				clients := 1000
				if strings.HasPrefix(s.name, "datastar") {
					clients = 100 // Each has a compressor.
				}
				b.Run(fmt.Sprintf("items=%d/%s/%s", items, what, s.name), func(b *testing.B) {
					tl := newTimeline(items)
					before := memory()
					sut := s.start(b, tl)
					site := httptest.NewServer(sut)
					b.Cleanup(site.Close)
					sinks := startSinks(b, strings.TrimPrefix(site.URL, "http://"), clients, s.encoding)
					await := func(n int64) {
						for sut.frames() < n {
							<-time.After(100 * time.Microsecond)
						}
					}
					await(int64(clients))
					change(tl)
					sut.announce(b)
					await(2 * int64(clients))
					held := memory() - before
					read, began := sinks.read(b), processTime()
					n := int64(2)
					for b.Loop() {
						n++
						change(tl)
						sut.announce(b)
						await(n * int64(clients))
					}
					deliveries := float64(b.N * clients)
					b.ReportMetric(float64(processTime()-began)/1000/deliveries, "us-cpu/delivery")
					b.ReportMetric(float64(sinks.read(b)-read)/deliveries, "B/delivery")
					b.ReportMetric(float64(held)/float64(clients)/1024, "KiB/client")
				})
			}
		}
	}
}

// memory returns what the process holds.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return int64(m.HeapAlloc + m.StackInuse)
}

// processTime is that of this process on all processors.
func processTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}

	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
