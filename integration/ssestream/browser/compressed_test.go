package browser_test

import (
	"context"
	"encoding/base64"
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
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/engines"
	"github.com/feedmill/feedmill/ssestream"
)

// text is a state whose streams are compressed. A page at the root follows it, and another key with it.
type text struct {
	*httptest.Server

	router *ssestream.Router
	mu     sync.Mutex
	text   string
	codes  map[string]int // streams by their content coding
}

const following = `<!doctype html>
<title>A page that follows a state</title>
<script>
const keys = { "/one": "data", "/several?stream=state&heartbeat": "state" }
const last = {}, opened = {}, failures = {}, ids = {}
for (const [url, name] of Object.entries(keys)) {
	const source = new EventSource(url)
	opened[url] = failures[url] = 0
	source.onopen = () => { opened[url]++ }
	source.onerror = () => { failures[url]++ }
	source.addEventListener(name, (event) => { last[url] = event.data; ids[url] = event.lastEventId })
}
const shown = (start) => Object.keys(keys).every((url) => last[url] && last[url].startsWith('{"Text":"' + start))
</script>`

func serveText(t *testing.T) *text {
	t.Helper()
	router, err := ssestream.NewRouter(ssestream.RouterConfig{
		Resync: ssestream.Off, Heartbeat: 100 * time.Millisecond, Retry: 50 * time.Millisecond,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	s := &text{router: router, codes: map[string]int{}}
	adapter, err := ssestream.AdapterBuilder[struct{}, struct{ Text string }]{
		RequestKey: func(*http.Request) (string, error) { return "text", nil },
		EventKeys:  func(struct{}) []string { return []string{"text"} },
		Load: func(context.Context, string) (struct{ Text string }, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return struct{ Text string }{s.text}, nil
		},
		Compress: true,
	}.Build()
	require.NoError(t, err)
	several, err := router.AddStreamsHandler(ssestream.Stream{Pattern: "state", Topics: []string{"text"}, Adapter: adapter})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/one", router.AddHandler("text", adapter))
	mux.Handle("/several", several)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(following))
	})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Path == "/one" || r.URL.Path == "/several" {
			s.codes[w.Header().Get("Content-Encoding")]++
		}
	}))
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	t.Cleanup(func() {
		assert.NoError(t, router.Close())
		assert.NoError(t, <-ended)
		s.Close()
	})
	<-router.Running()
	return s
}

// set changes the text, which begins with n, and has the given size.
func (s *text) set(t *testing.T, n, size int) {
	t.Helper()
	noise := make([]byte, size/4*3)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	s.mu.Lock()
	s.text = fmt.Sprintf("%d %s", n, base64.StdEncoding.EncodeToString(noise))
	s.mu.Unlock()
	require.NoError(t, s.router.Publish("text", message.NewMessage(watermill.NewUUID(), message.Payload("{}"))))
}

// await waits until a page shows an expression to be true.
type await func(expression string) error

// TestCompressedStreams has the EventSource of each engine follow states that were compressed for clients in step, between
// heartbeats, and come back when it was cut.
func TestCompressedStreams(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, url string) await{
		"Chromium": inChromium, "Firefox": in(engines.Firefox), "WebKit": in(engines.WebKit),
	} {
		for _, size := range []int{5_000, 90_000} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				t.Parallel()
				s := serveText(t)
				s.set(t, 0, size)
				pages := []await{start(t, s.URL+"/")}
				for n := 1; n <= 6; n++ {
					for _, page := range pages {
						require.NoError(t, page(fmt.Sprintf("shown('%d ')", n-1)))
					}
					before := s.router.Stats()
					began := time.Now()
					s.set(t, n, size)
					for _, page := range pages {
						require.NoError(t, page(fmt.Sprintf("shown('%d ')", n)))
					}
					t.Logf("change %d shown after %s, %d bytes a client", n, time.Since(began).Round(time.Millisecond),
						(s.router.Stats().Bytes-before.Bytes)/max(1, s.router.Stats().Frames-before.Frames))
					if n == 3 {
						require.NoError(t, s.router.Kick(t.Context(), ssestream.Kick{Key: "text"}))
						require.NoError(t, pages[0]("Object.values(opened).every((n) => n === 2)"))
					}
				}
				require.NoError(t, pages[0]("Object.values(opened).every((n) => n === 2) && Object.values(failures).every((n) => n === 1)"))
				s.mu.Lock()
				defer s.mu.Unlock()
				t.Log("codings of the streams that ended: ", s.codes)
				assert.Zero(t, s.codes[""])
			})
		}
	}
}

func inChromium(t *testing.T, url string) await {
	t.Helper()
	window := page(t, strings.TrimSuffix(url, "/"))
	return window.Await
}

func in(start func(context.Context) (engines.Browser, error)) func(t *testing.T, url string) await {
	return func(t *testing.T, url string) await {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		t.Cleanup(cancel)
		browser, err := start(ctx)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, browser.Close()) })
		tab, err := browser.Open(ctx, url)
		require.NoError(t, err)
		return func(expression string) error { return engines.Await(ctx, tab, expression) }
	}
}
