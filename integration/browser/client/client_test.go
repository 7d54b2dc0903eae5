package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestADeadConnectionIsReplaced that nobody closes: the network forwards nothing.
func TestADeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	const heartbeat = 500 * time.Millisecond
	s := newSite(t, ssestream.RouterConfig{Heartbeat: heartbeat}, 0)
	w := s.open(t)
	w.run("follow('count')")
	w.await("streams.status === 'live' && told.count.states.length === 1")
	// A heartbeat has come, and nothing was replaced.
	w.run("new Promise((resolve) => setTimeout(resolve, 2000)).then(() => { window.calm = statuses.length })")
	w.await("window.calm === 2")

	s.proxy.Strand()
	w.run("window.stranded = performance.now()")
	w.await("statuses.at(-2).status === 'reconnecting' && streams.status === 'live'")
	noticed := value[float64](w, "statuses.at(-2).at - stranded")
	assert.Less(t, noticed, float64((4 * heartbeat).Milliseconds()), "three heartbeats after the last one")
	s.add(t)
	w.await("told.count.states.at(-1) === 1")
	assert.EqualValues(t, 2, s.requests.Load())
	s.proxy.Reset() // what is stranded
}

// TestAPageWhoseStreamsChangeAllTheTime is sent states meanwhile, over few connections.
func TestAPageWhoseStreamsChangeAllTheTime(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{}, 100*time.Millisecond)
	w := s.open(t)
	w.run(`follow('count'), window.rows = 0, window.timer = setInterval(() => {
		follow('row:' + rows)
		leave('row:' + (rows - 5))
		if (++rows === 100) clearInterval(timer)
	}, 80)`)
	deadline := time.After(time.Minute)
	for n := 0; value[int](w, "rows") < 100; n++ {
		s.add(t)
		require.LessOrEqual(t, s.router.Stats().Clients, int64(2))
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatal("the page does not get on")
		}
	}
	states := value[[]int64](w, "told.count.states")
	assert.IsIncreasing(t, states)
	assert.Greater(t, len(states), 20)
	assert.Less(t, s.requests.Load(), int64(20))
	w.await("[95, 96, 97, 98, 99].every((row) => told['row:' + row].states.at(-1) === " + quote(t, s.count.Load()) + ")")
	t.Logf("%d states in 8 s, over %d connections", len(states), s.requests.Load())
}

// TestALoginBringsARefusedStream when the user returns from where it happened.
func TestALoginBringsARefusedStream(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{}, 0)
	w := s.open(t)
	w.run("follow('count'), follow('mine')")
	w.await("told.mine.problems.join() === '401' && told.count.states.length === 1")
	w.run("fetch('/login').then(() => window.dispatchEvent(new Event('focus')))")
	w.await("told.mine.states.length === 1")
	assert.Equal(t, "connecting live", w.statuses())
	assert.Equal(t, 1, value[int](w, "told.count.states.length"), "it resumed")

	// A page with nothing but refused streams is the same.
	alone := s.open(t)
	alone.run("follow('mine')")
	alone.await("told.mine.problems.length === 1")
	alone.run("fetch('/login').then(() => window.dispatchEvent(new Event('focus')))")
	alone.await("told.mine.states.length > 0 && streams.status === 'live'")
}

// TestOverloadIsOneStatus while the server turns the page away again and again.
func TestOverloadIsOneStatus(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{MaxClients: 1}, 0)
	other, err := ssestreamtest.Connect(context.WithoutCancel(t.Context()), nil, s.URL+"/streams?stream=count")
	require.NoError(t, err)
	w := s.open(t)
	w.run("follow('count')")
	require.Eventually(t, func() bool { return s.requests.Load() > 8 }, time.Minute, 10*time.Millisecond)
	assert.Equal(t, "connecting reconnecting", w.statuses())
	require.NoError(t, other.Close())
	w.await("streams.status === 'live' && told.count.states.length === 1")
	assert.Equal(t, "connecting reconnecting live", w.statuses())
}
