package projector

import (
	"context"
	"time"
)

// gatherer forms batches of what arrived while the last batch was applied. A batch that follows one of several messages
// also waits a little for more.
type gatherer struct {
	deliveries <-chan *delivery
	size       int
	wait       time.Duration
	busy       bool // the last batch had several messages
}

// next waits for a message and returns it with its batch. It returns nothing when stopping is done or wake receives.
func (g *gatherer) next(stopping context.Context, wake <-chan time.Time) []*delivery {
	var batch []*delivery
	asked := time.Now()
	select {
	case <-stopping.Done():
		return nil
	case <-wake:
		return nil
	case first := <-g.deliveries:
		if stopping.Err() != nil {
			first.settle(false)
			return nil
		}
		batch = append(batch, first)
	}
	var enough <-chan time.Time // nil: what is there already
	if g.busy && time.Since(asked) <= g.wait {
		timer := time.NewTimer(g.wait)
		defer timer.Stop()
		enough = timer.C
	}
	for len(batch) < g.size {
		d := g.another(stopping, enough)
		if d == nil {
			break
		}
		batch = append(batch, d)
	}
	g.busy = len(batch) > 1
	return batch
}

// another returns a message that comes before enough receives, or one that is there already if enough is nil.
func (g *gatherer) another(stopping context.Context, enough <-chan time.Time) *delivery {
	select {
	case d := <-g.deliveries:
		return d
	default:
	}
	if enough == nil {
		return nil
	}
	select {
	case d := <-g.deliveries:
		return d
	case <-enough:
	case <-stopping.Done():
	}
	return nil
}
