package benchmarks_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// prose is a text of 30 KB that grows.
type prose struct {
	mu   sync.Mutex
	text strings.Builder
	rand *rand.Rand
}

func newProse() *prose {
	p := &prose{rand: rand.New(rand.NewPCG(1, 3))}
	for p.text.Len() < 30<<10 {
		p.write(10)
	}

	return p
}

func (p *prose) write(words int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range words {
		p.text.WriteString(vocabulary[int(float64(len(vocabulary))*p.rand.Float64()*p.rand.Float64())] + " ")
	}
	if words > 1 {
		p.text.WriteByte('\n')
	}
}

func (p *prose) load(context.Context, string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.text.String(), nil
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

// processTime is that of this process on all processors.
func processTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}

	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkAppend has 1,000 clients in another process follow a text of 30 KB to which a word or a line is appended. It
// reports, for a client and a change, what was sent, and the time of this process on all processors, the system's included.
func BenchmarkAppend(b *testing.B) {
	const clients = 1000
	for _, words := range []int{1, 20} {
		for _, appends := range []bool{false, true} {
			for _, encoding := range []string{"identity", "gzip", "zstd"} {
				b.Run(fmt.Sprintf("words=%d/append=%t/%s", words, appends, encoding), func(b *testing.B) {
					p := newProse()
					adapter, err := ssestream.AdapterBuilder[struct{}, string]{
						RequestKey: func(*http.Request) (string, error) { return "prose", nil },
						EventKeys:  func(struct{}) []string { return []string{"prose"} },
						Load:       p.load, Append: appends, Compress: true,
					}.Build()
					require.NoError(b, err)
					router, err := ssestream.NewRouter(ssestream.RouterConfig{Resync: ssestream.Off}, watermill.NopLogger{})
					require.NoError(b, err)
					site := httptest.NewServer(router.AddHandler("changed", adapter))
					b.Cleanup(func() {
						require.NoError(b, router.Close())
						site.Close()
					})
					sinks := startSinks(b, strings.TrimPrefix(site.URL, "http://"), clients, encoding)
					frames := int64(0)
					await := func() {
						for frames += clients; router.Stats().Frames < frames; {
							<-time.After(100 * time.Microsecond)
						}
					}
					change := func() {
						p.write(words)
						require.NoError(b, router.Publish("changed", message.NewMessage("", message.Payload("{}"))))
						await()
					}
					await()
					change()
					read, began := sinks.read(b), processTime()
					for b.Loop() {
						change()
					}
					deliveries := float64(b.N * clients)
					b.ReportMetric(float64(processTime()-began)/1000/deliveries, "us-cpu/delivery")
					b.ReportMetric(float64(sinks.read(b)-read)/deliveries, "B/delivery")
				})
			}
		}
	}
}
