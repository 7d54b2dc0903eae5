package projector

import (
	"context"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/attempt"
	"github.com/feedmill/feedmill/internal/backoff"
)

const (
	// leastFailed is how many failed messages a worker keeps at least, however small its batches are.
	leastFailed = 10
	// failuresInVain is how many messages must fail alone, while none is applied, to end a pass over the failed messages:
	// the store or the broker is most likely away then.
	failuresInVain = 2
)

// worker applies batches of deliveries. It keeps the messages that failed and tries them again between the batches, so
// that a message which cannot be applied holds up no other.
type worker struct {
	*Projector

	gather  gatherer
	failed  []*delivery // in the order of their next attempts
	backoff backoff.Backoff
	due     time.Time // when the failed messages are tried again
}

// work runs a worker until stopping is done, and gives back the messages that it could not apply. Attempts use ctx.
func (p *Projector) work(stopping, ctx context.Context) {
	w := &worker{
		Projector: p,
		gather:    gatherer{deliveries: p.deliveries, size: p.config.BatchSize, wait: p.config.BatchWait},
		backoff:   backoff.Backoff{Min: p.config.MinBackoff, Max: p.config.MaxBackoff},
	}
	for stopping.Err() == nil {
		w.applyNew(ctx, w.nextBatch(stopping))
		if len(w.failed) > 0 && !time.Now().Before(w.due) {
			w.applyFailed(stopping, ctx)
		}
	}
	settle(w.failed, false)
}

// nextBatch waits for a batch. It returns none when failed messages are due. While too many have failed it takes none: the
// store is most likely away, and the broker should keep the messages.
func (w *worker) nextBatch(stopping context.Context) []*delivery {
	if len(w.failed) == 0 {
		return w.gather.next(stopping, nil)
	}
	due := time.NewTimer(time.Until(w.due))
	defer due.Stop()
	if len(w.failed) >= max(w.config.BatchSize, leastFailed) {
		select {
		case <-due.C:
		case <-stopping.Done():
		}
		return nil
	}
	return w.gather.next(stopping, due.C)
}

// applyNew applies a batch. If it fails, its messages are tried again soon.
func (w *worker) applyNew(ctx context.Context, batch []*delivery) {
	left, err := w.apply(ctx, batch)
	if err == nil {
		return
	}
	w.logger.Error("Projector could not apply a batch, will retry", err, watermill.LogFields{"messages": len(left)})
	for _, d := range left {
		d.failedAt = w.applied.Load()
	}
	w.backoff.Reset()
	due := time.Now().Add(w.backoff.Next())
	if len(w.failed) == 0 || due.Before(w.due) {
		w.due = due
	}
	w.failed = append(w.failed, left...)
}

// applyFailed is a pass over the failed messages: it tries as many as a batch has together and then, if that fails, each
// of them alone.
func (w *worker) applyFailed(stopping, ctx context.Context) {
	tried, bytes := 0, 0
	for tried < min(len(w.failed), w.config.BatchSize) && bytes < limits.MaxBatchBytes {
		bytes += len(w.failed[tried].msg.Payload)
		tried++
	}
	untried, behind := w.failed[:tried], w.failed[tried:]
	var failed []*delivery
	var failure error
	if tried > 1 {
		untried, failure = w.apply(ctx, untried)
	}
	before := w.applied.Load()
	for len(untried) > 0 && stopping.Err() == nil {
		if len(failed) >= failuresInVain && w.applied.Load() == before {
			break
		}
		d := untried[0]
		untried = untried[1:]
		if err := w.applyAlone(ctx, d); err != nil {
			failed, failure = append(failed, d), err
		}
	}
	w.failed = slices.Concat(untried, behind, failed)
	w.due = time.Now().Add(w.backoff.Next())
	if len(failed) > 0 {
		last := failed[len(failed)-1]
		w.logger.Error("Projector could not apply messages alone, will retry", failure, watermill.LogFields{
			"messages": len(w.failed), "message_uuid": last.msg.UUID, "topic": last.topic,
		})
	}
}

// applyAlone tries to apply one message. A failure counts only if another message was applied since the last failure of this
// one: otherwise the store or the broker may be away. After MaxAttempts counted failures the message is set aside. Before
// that, a message that another release may apply is given back now and then.
func (w *worker) applyAlone(ctx context.Context, d *delivery) error {
	others := w.applied.Load() > d.failedAt
	alone := []*delivery{d}
	_, err := w.apply(ctx, alone)
	if err == nil {
		return nil
	}
	d.failedAt = w.applied.Load()
	if others {
		d.failures++
	}
	if w.config.MaxAttempts == Off || d.failures < w.config.MaxAttempts {
		if others && d.failures%giveBackAfter == 0 && len(driver.Failures(err)) > 0 {
			w.givenBack.add(d.msg.UUID, d.failures)
			d.settle(false)
			return nil
		}
		return err
	}
	if len(driver.Failures(err)) > 0 {
		// The projection may withhold the item of the message and then refuse the message. If that fails, a later attempt may
		// do it.
		if _, err = w.apply(attempt.WithLast(ctx), alone); len(driver.Failures(err)) == 0 {
			return err
		}
	}
	_, err = w.setAside(ctx, alone, map[*message.Message]error{d.msg: err})
	return err
}
