//go:build linux

package measure

import (
	"context"
	"errors"
	"time"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
)

// Reconnect is the measure of clients that were cut off and reconnect at once.
type Reconnect struct {
	Loads  float64 // loads of the feed meanwhile
	Errors float64 // clients that were refused, received something else than a stream, or were cut off
	Back   float64 // seconds from the first connection until all have the state that they missed
}

// Reconnect measures one contestant: its clients have a state, are cut off, miss a change, and reconnect at once with
// their Last-Event-ID.
func (b *Bench) Reconnect(ctx context.Context, name string) (result Reconnect, err error) {
	s, err := b.session(ctx, name, b.config.size(), contestant.NewPost)
	if err != nil {
		return result, err
	}
	defer s.close(&err)
	n := b.config.Reconnecting
	if err := s.connect(ctx, n); err != nil {
		return result, err
	}
	if err := s.updates(ctx, warmUpdates); err != nil {
		return result, err
	}
	lastEventID := s.last.EventID
	if err := s.fleet.Cut(); err != nil {
		return result, err
	}
	if err := s.publish(); err != nil {
		return result, err
	}
	before, err := s.server.Usage()
	if err != nil {
		return result, err
	}

	start := time.Now()
	timed, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	if err := errors.Join(s.fleet.Connect(timed, n, n, lastEventID), s.fleet.Await(timed)); err != nil {
		return result, err
	}
	result.Back = time.Since(start).Seconds()
	failed, _ := s.fleet.Failures()
	after, err := s.server.Usage()
	result.Errors, result.Loads = float64(failed), float64(after.Loads-before.Loads)

	return result, err
}
