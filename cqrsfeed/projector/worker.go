package projector

import (
	"context"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/internal/backoff"
)

// batchAttempts is how often a batch is tried as a whole before its messages are tried alone. Most failures are
// those of the store or the broker, and are over by then or concern all messages.
const batchAttempts = 3

// applyBatches is one worker.
func (p *Projector) applyBatches(stopping, work context.Context) {
	gather := gatherer{deliveries: p.deliveries, size: p.config.BatchSize, wait: p.config.BatchWait}
	held := newHeld(p.config)
	defer held.giveBack()
	for stopping.Err() == nil {
		if batch := gather.next(stopping, held.wake(), held.room()); len(batch) > 0 {
			p.applyUntilDone(stopping, work, batch, held)
		}
		if held.isDue() {
			p.applyHeld(stopping, work, held)
		}
	}
}

// applyUntilDone retries a batch until it is applied and its updates are published, and acknowledges it then. A
// batch that keeps failing is held, for its messages to be applied alone. What is left when the projector is
// stopped before that is given back.
func (p *Projector) applyUntilDone(stopping, work context.Context, batch []delivery, held *heldMessages) {
	failing := backoff.Backoff{Min: p.config.MinBackoff, Max: p.config.MaxBackoff}
	for attempts := 1; ; attempts++ {
		rest, err := p.apply(work, batch)
		if err == nil {
			return
		}
		batch = rest
		p.logger.Error("Projector could not apply a batch, will retry", err, watermill.LogFields{"messages": len(batch)})
		if !failing.Wait(stopping) {
			settle(batch, false)
			return
		}
		if attempts == batchAttempts {
			held.hold(batch, p.applied.Load())
			return
		}
	}
}
