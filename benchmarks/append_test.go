package benchmarks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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
