package app_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestLiveShowsTheWayOfAPost: every station with its time, in process and over a Go channel, on a stream of its own.
func TestLiveShowsTheWayOfAPost(t *testing.T) {
	t.Parallel()
	stations := []string{"write", "outbox", "relay", "projector", "feeds", "router"}
	for name, test := range map[string]struct {
		overGoChannel bool
		stations      []string
	}{
		"in process":        {false, stations},
		"over a Go channel": {true, []string{"write", "outbox", "relay", "broker", "projector", "feeds", "router"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := embedded(t)
			if test.overGoChannel {
				channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true, OutputChannelBuffer: 16}, watermill.NopLogger{})
				t.Cleanup(func() { require.NoError(t, channel.Close()) })
				parts.Broker = &feedmill.Broker{Publisher: channel, Work: channel, Live: channel}
			}
			s := run(t, newApp(t, parts))
			window, err := ssestreamtest.Connect(t.Context(), s.client, "http://"+s.addr+"/api/streams?stream=feed:go")
			require.NoError(t, err)
			_, err = window.Next(t.Context())
			require.NoError(t, err)
			page, err := ssestreamtest.Connect(t.Context(), s.client, "http://"+s.addr+"/api/live?stream=live")
			require.NoError(t, err)

			before := time.Now()
			require.Equal(t, http.StatusUnprocessableEntity, s.post(t, `{"title":"Refused"}`).status)
			require.Equal(t, http.StatusCreated, s.post(t, `{"title":"A title","content":"#go","author":"Ada"}`).status)
			way := s.awaitWay(t, page)
			require.Equal(t, "A title", way.Title)
			require.Equal(t, "created", way.Change)
			require.Equal(t, []string{"go"}, way.Tags)
			require.WithinRange(t, way.At, before, time.Now())

			var passed []string
			last := 0.
			for _, step := range way.Steps {
				passed = append(passed, step.Station)
				require.InDelta(t, last, step.From, 0, "no gap before %s", step.Station)
				require.GreaterOrEqual(t, step.To, step.From)
				last = step.To
			}
			require.Equal(t, test.stations, passed)
			require.Positive(t, way.Steps[0].To, "a commit takes time")
			require.Positive(t, last-way.Steps[len(way.Steps)-2].To, "a write takes time")
			require.InDelta(t, last, way.Total, 0.001)
			require.Less(t, way.Total, float64(time.Since(before).Milliseconds()+1))
			require.Len(t, way.Reads, 1, "one load for the only key that somebody follows")
			require.Equal(t, "go", way.Reads[0].Key)

			require.NoError(t, page.Close())
			require.NoError(t, window.Close())
			s.stop()
			require.NoError(t, s.ended(t))
		})
	}
}

// awaitWay waits for the state whose newest way has reached the windows. There must be no other way.
func (s *site) awaitWay(t *testing.T, page *ssestreamtest.Stream) live.Way {
	t.Helper()
	for {
		event, err := page.Next(t.Context())
		require.NoError(t, err)
		var state live.State
		require.NoError(t, json.Unmarshal([]byte(event.Data), &state))
		require.Contains(t, state.Metrics, "ssestream.frames")
		require.LessOrEqual(t, len(state.Ways), 1, "what was refused has no way")
		if len(state.Ways) == 1 && state.Ways[0].Station == "windows" {
			require.InDelta(t, 1, state.Metrics["ssestream.clients"], 0, "the page that shows it does not count")
			return state.Ways[0]
		}
	}
}
