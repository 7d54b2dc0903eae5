// Package stage runs a router that sends its clients any bytes that a test chooses, by the router's public interface
// alone.
package stage

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/ssestream/internal/wire"
	"github.com/feedmill/feedmill/ssestream"
)

const topic = "shown"

// Stage is a running router with one state.
type Stage struct {
	// Shared serves a typed adapter: its clients share rooms, and events have IDs.
	Shared http.Handler
	// Plain serves an adapter that is written for the stock router: events have no IDs.
	Plain http.Handler

	router *ssestream.Router

	mu    sync.Mutex
	shown wire.Sent
}

// New runs a router until the test ends. Clients that are cut off are told to return soon.
func New(tb testing.TB) *Stage {
	tb.Helper()
	router, err := ssestream.NewRouter(ssestream.RouterConfig{
		Marshaler: verbatim{},
		Resync:    ssestream.Off,
		Retry:     100 * time.Millisecond,
	}, watermill.NopLogger{})
	require.NoError(tb, err)
	s := &Stage{router: router}
	shared, err := ssestream.AdapterBuilder[struct{}, wire.Sent]{
		RequestKey: func(*http.Request) (string, error) { return "the state", nil },
		EventKeys:  func(struct{}) []string { return []string{ssestream.AllKeys} },
		Load:       func(context.Context, string) (wire.Sent, error) { return s.current(), nil },
		Decode:     func(*message.Message) (struct{}, error) { return struct{}{}, nil },
	}.Build()
	require.NoError(tb, err)
	s.Shared = s.router.AddHandler(topic, shared)
	s.Plain = s.router.AddHandler(topic, plain{s})

	done := make(chan error, 1)
	go func() { done <- s.router.Run(context.Background()) }()
	tb.Cleanup(func() {
		s.End(tb)
		require.NoError(tb, <-done)
	})
	<-s.router.Running()
	return s
}

// Show makes sent the state, and announces it.
func (s *Stage) Show(tb testing.TB, sent wire.Sent) {
	tb.Helper()
	s.mu.Lock()
	s.shown = sent
	s.mu.Unlock()
	require.NoError(tb, s.router.Publish(topic, message.NewMessage(watermill.NewUUID(), nil)))
}

// Perform sends one client all of the states: the client connects by connect, and each state is shown after
// the one before has been written to it.
func (s *Stage) Perform(tb testing.TB, all []wire.Sent, connect func()) {
	tb.Helper()
	before := s.router.Stats().Frames
	for i, sent := range all {
		s.Show(tb, sent)
		if i == 0 {
			connect()
		}
		written := func() bool { return s.router.Stats().Frames == before+int64(i)+1 }
		require.Eventually(tb, written, 20*time.Second, time.Millisecond, "%d of %d was not written: %.200q", i+1, len(all), sent)
	}
}

// End ends the streams.
func (s *Stage) End(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, s.router.Close())
}

func (s *Stage) current() wire.Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown
}

// verbatim leaves name and data as they are.
type verbatim struct{}

// Marshal returns the event of a wire.Sent.
func (verbatim) Marshal(_ context.Context, payload any) (watermillhttp.ServerSentEvent, error) {
	sent, _ := payload.(wire.Sent)
	return watermillhttp.ServerSentEvent{Event: sent.Event, Data: sent.Data}, nil
}

// plain returns every message with the state.
type plain struct{ stage *Stage }

// InitialStreamResponse returns the state.
func (p plain) InitialStreamResponse(http.ResponseWriter, *http.Request) (any, bool) {
	return p.stage.current(), true
}

// NextStreamResponse returns the state, whatever the message.
func (p plain) NextStreamResponse(*http.Request, *message.Message) (any, bool) {
	return p.stage.current(), true
}
