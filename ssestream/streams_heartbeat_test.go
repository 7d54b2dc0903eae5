package ssestream_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestHeartbeatsThatAScriptSees begin the stream, and come while it is silent.
func TestHeartbeatsThatAScriptSees(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(testing.TB, http.Handler) site{
		"net/http": servePipes, "taken over": serveTakenPipes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := bubble{T: t, board: newBoard(), source: newSource()}
				b.router = newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: b.source})
				b.site = serve(t, streamsOf(t, b.router, b.board))
				run(t, b.router)

				stream := b.connect("stream=score:a&stream=score:secret&heartbeat=1")
				assert.Equal(b, ssestreamtest.Event{Type: "heartbeat", Data: "15000"}, next(b, stream), "before all else")
				assert.Equal(b, "score:secret", problemOf(b, stream)["stream"])
				take(b.T, stream, 1)
				id := stream.LastEventID()
				start := time.Now()
				for range 3 {
					assert.Equal(b, ssestreamtest.Event{Type: "heartbeat", ID: id}, next(b, stream))
				}
				assert.Equal(b, 45*time.Second, time.Since(start))
				assert.Zero(b, stream.Comments())

				asIs := b.connect("stream=score:a")
				take(b.T, asIs, 1)
				b.quiet(asIs, 50*time.Second)
				assert.Equal(b, 3, asIs.Comments())
			})
		})
	}
}

func TestHeartbeatsThatAScriptSeesAreOff(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{Heartbeat: ssestream.Off}, func(b bubble) {
		stream := b.connect("stream=score:a&heartbeat=1")
		take(b.T, stream, 1)
		b.quiet(stream, time.Hour)
		answer := b.do(b, http.MethodGet, "stream=heartbeat", "Accept", "text/event-stream")
		assert.Equal(b, http.StatusBadRequest, answer.status)
	})
}
