package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream"
)

// TestFetchSendsTheNewestToken with each request, resumes like an EventSource, and forgets a user after a logout.
func TestFetchSendsTheNewestToken(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, ssestream.RouterConfig{}, 0)
			w := s.open(t, "?method="+method)
			w.run("follow('count'), follow('mine')")
			w.await("told.mine.problems.join() === '401' && told.count.states.join() === '0'")
			w.run("token = 'alice', streams.reconnect()")
			w.await("told.mine.states.join() === '0'")
			assert.NotContains(t, w.statuses(), "reconnecting")

			s.proxy.Reset() // The connection is cut.
			w.await("statuses.some(({ status }) => status === 'reconnecting') && streams.status === 'live'")
			s.add(t)
			w.await("told.mine.states.join() === '0,1' && told.count.states.join() === '0,1'")
			assert.Equal(t, "old alice alice", value[string](w, "asked.join(' ')"))

			w.run("token = '', streams.reset()")
			w.await("told.mine.states.join() === '0,1,discarded' && told.mine.problems.join() === '401,401'")
			w.await("told.count.states.join() === '0,1,discarded,1'")
		})
	}
}

// TestFetchNoticesADeadConnection by its heartbeats, as with an EventSource.
func TestFetchNoticesADeadConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{Heartbeat: 500 * time.Millisecond}, 0)
	w := s.open(t, "?method=GET")
	w.run("follow('count')")
	w.await("streams.status === 'live' && told.count.states.length === 1")
	s.proxy.Strand()
	w.await("statuses.at(-2).status === 'reconnecting' && streams.status === 'live'")
	s.add(t)
	w.await("told.count.states.at(-1) === 1")
	s.proxy.Reset() // what is stranded
}
