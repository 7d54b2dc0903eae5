package projector

import (
	"context"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// gatherer forms batches of the messages that arrived while the last batch was applied. After a batch of several messages,
// the next batch also waits a little for more.
type gatherer struct {
	deliveries <-chan *delivery
	size       int
	wait       time.Duration
	busy       bool // the last batch had several messages
}

// next waits for a message and returns its batch. It returns nil when stopping is done or wake receives.
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
	var enough <-chan time.Time // nil: do not wait for more
	if g.busy && time.Since(asked) <= g.wait {
		timer := time.NewTimer(g.wait)
		defer timer.Stop()
		enough = timer.C
	}
	for bytes := len(batch[0].msg.Payload); len(batch) < g.size && bytes < limits.MaxBatchBytes; {
		d := g.another(stopping, enough)
		if d == nil {
			break
		}
		batch = append(batch, d)
		bytes += len(d.msg.Payload)
	}
	g.busy = len(batch) > 1
	return batch
}

// another returns a message that arrives before enough receives. If enough is nil, it does not wait.
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
