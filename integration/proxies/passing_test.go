package proxies_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// patience bounds the wait for what has to come at once, on a busy machine.
const patience = time.Minute

// visitor is who opens a stream through a proxy.
type visitor struct {
	app      *app
	base     string // URL of the proxy
	client   *http.Client
	encoding string // that the proxy uses for streams
	large    int    // bytes of a large state
	several  bool   // streams on one connection
	wrapped  bool   // the router's http.ResponseWriter, so that net/http writes the response, in chunks
}

// TestStreamsPass follows streams through each proxy, with and without compression.
func TestStreamsPass(t *testing.T) {
	t.Parallel()
	for name, start := range kinds {
		for _, suffix := range []string{"-plain", "-compressed", ""} {
			t.Run(name+"/conf"+suffix, func(t *testing.T) {
				t.Parallel()
				v := visitor{app: startApp(t, 0), large: 500_000}
				v.base = start(t, config{suffix: suffix}, v.app.port, v.app.port)
				if name == "nginx" && suffix == "-compressed" {
					// It compresses in spite of no-transform, and may hold the end of a larger state until the next heartbeat.
					v.encoding, v.large = "gzip", 50_000
				}
				for version := 1; version <= 2; version++ {
					v.client = client(t, version)
					t.Run(fmt.Sprint("HTTP ", version), v.follow)
				}
			})
		}
	}
	for _, suffix := range []string{"-plain", "-compressed"} {
		t.Run("Node/conf"+suffix, func(t *testing.T) {
			t.Parallel()
			v := visitor{app: startApp(t, 0), large: 500_000, client: client(t, 1)}
			v.base = startNode(t, config{suffix: suffix}, v.app.port)
			v.follow(t)
		})
	}
}

// follow runs the tests of one proxy and version of HTTP.
func (v visitor) follow(t *testing.T) {
	t.Helper()
	for i := range 4 {
		v.several, v.wrapped = i&1 != 0, i&2 != 0
		name := fmt.Sprintf("several=%t,wrapped=%t,", v.several, v.wrapped)
		t.Run(name+"states", v.statesCome)
		t.Run(name+"heartbeats", v.heartbeatsCome)
		t.Run(name+"leaving", v.leavingIsNoticed)
	}
}

// open opens a stream of the keys.
func (v visitor) open(t *testing.T, s *site, keys ...string) *ssestreamtest.Stream {
	t.Helper()
	var handler http.Handler = s
	if v.wrapped {
		handler = wrapped(s)
	}
	url := v.base + v.app.mount(handler)
	if v.several {
		url += "/streams?stream=state:" + strings.Join(keys, "&stream=state:")
	} else {
		url += "/states/" + keys[0]
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	timer := time.AfterFunc(patience, cancel)
	stream, err := ssestreamtest.Connect(ctx, v.client, url)
	require.NoError(t, err, "the header of the response did not come")
	timer.Stop()
	t.Cleanup(func() { _ = stream.Close() })
	return stream
}

// statesCome expects each state before anything is sent after it.
func (v visitor) statesCome(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{Heartbeat: ssestream.Off})
	s.set(t, "a", "first")
	s.set(t, "b", "first")
	keys := []string{"a", "b"}
	if !v.several {
		keys = keys[:1]
	}
	stream := v.open(t, s, keys...)
	assert.Equal(t, v.encoding, stream.Header().Get("Content-Encoding"))
	for range keys {
		assert.Equal(t, "first", next(t, stream))
	}
	large := strings.Repeat("x", v.large)
	for i, text := range []string{"second", "third", large, "fourth", large + "y", "fifth"} {
		s.set(t, keys[i%len(keys)], text)
		require.Equal(t, text, next(t, stream), "change %d", i)
	}
}

func next(t *testing.T, stream *ssestreamtest.Stream) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	event, err := stream.Next(ctx)
	require.NoError(t, err, "the state did not come")
	var s state
	require.NoError(t, json.Unmarshal([]byte(event.Data), &s))
	return s.Text
}

// heartbeat is that of the tests that wait for some.
const heartbeat = 100 * time.Millisecond

// heartbeatsCome expects a stream without a state to open and to stay alive.
func (v visitor) heartbeatsCome(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{Heartbeat: heartbeat})
	recorder := ssestreamtest.Record(v.open(t, s, hanging))
	defer func() { assert.NoError(t, recorder.Close()) }()
	awaitHeartbeats(t, recorder, 3)
}

func awaitHeartbeats(t *testing.T, recorder *ssestreamtest.Recorder, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n += recorder.Comments()
	require.NoError(t, recorder.Wait(ctx, func(r *ssestreamtest.Recorder) bool { return r.Comments() >= n }))
}

// leavingIsNoticed expects the router to notice within five heartbeats that a client has gone. Where a proxy leaves it to its
// writes to fail, the second on each hop does, of which Docker's own proxy is one. A client without a proxy counts the heartbeats.
func (v visitor) leavingIsNoticed(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{Heartbeat: 5 * heartbeat})
	direct, err := ssestreamtest.Connect(t.Context(), nil, v.app.url()+v.app.mount(s)+"/states/a")
	require.NoError(t, err)
	clock := ssestreamtest.Record(direct)
	defer func() { assert.NoError(t, clock.Close()) }()

	stream := v.open(t, s, "a")
	next(t, stream)
	require.EqualValues(t, 2, s.router.Stats().Clients)
	require.NoError(t, stream.Close())
	before := clock.Comments()
	require.Eventually(t, func() bool { return s.router.Stats().Clients == 1 }, patience, time.Millisecond)
	assert.LessOrEqual(t, clock.Comments()-before, 5, "heartbeats until it was noticed")
	t.Logf("noticed within %d heartbeats", clock.Comments()-before)
}
