package projector

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/backoff"
)

// sweepRest is the least pause after a sweep, in multiples of what it took: sweeps take at most a tenth of the time.
const sweepRest = 9

// sweep calls the projection's Sweep at start and every SweepInterval, or less often if it takes long. It keeps updates that
// cannot be published, because no later sweep returns them again, and calls Sweep only when they are published.
func (p *Projector) sweep(stopping, ctx context.Context) {
	var updates []*message.Message
	for rest := time.Duration(0); backoff.Sleep(stopping, rest); {
		var failure, unpublished error
		rest = p.config.SweepInterval
		if len(updates) == 0 {
			began := time.Now()
			failure = p.recovered(func() (err error) {
				updates, err = p.config.Projection.Sweep(ctx)
				return err
			})
			rest = max(rest, sweepRest*time.Since(began))
		}
		updates, unpublished = p.announce(ctx, updates)
		if err := errors.Join(failure, unpublished); err != nil {
			p.logger.Error("Projector could not sweep, will retry", err, nil)
		}
	}
}
