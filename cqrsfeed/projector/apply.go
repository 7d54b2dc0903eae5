package projector

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/internal/panics"
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
	for attempts := 0; len(batch) > 0; {
		rest, err := p.apply(work, batch)
		batch = rest
		if err == nil { // without the poison it may go well at once
			attempts = 0
			failing.Reset()
			continue
		}
		attempts++
		p.logger.Error("Projector could not apply a batch, will retry", err, watermill.LogFields{"messages": len(batch)})
		if !failing.Wait(stopping) {
			settle(batch, false)
			return
		}
		p.metrics.retried(work)
		if attempts == batchAttempts {
			held.hold(batch, p.applied.Load())
			return
		}
	}
}

// apply makes one attempt, and returns those of the messages that are neither acknowledged nor set aside: all of
// them when it failed, and those beside poison.
func (p *Projector) apply(ctx context.Context, batch []delivery) (rest []delivery, err error) {
	messages := make([]*message.Message, len(batch))
	for i, d := range batch {
		messages[i] = d.msg
	}
	ctx, end := p.traces.startApply(ctx, messages)
	defer func() { end(err) }()

	start := time.Now()
	err = p.project(ctx, messages, func() { p.metrics.applied(ctx, start) })
	if poison := driver.Refusals(err); len(poison) > 0 {
		return p.setAside(ctx, batch, poison)
	}
	if err != nil {
		return batch, err
	}
	p.metrics.done(ctx, batch)
	p.knownGood.Store(messages[len(messages)-1])
	p.applied.Add(1)
	settle(batch, true)
	return nil, nil
}

// project has the projection apply messages, and announces what changed. It turns a panic into an error: nobody
// else could, since these goroutines are the projector's own.
func (p *Projector) project(ctx context.Context, messages []*message.Message, applied func()) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = p.panicked(reason)
		}
	}()
	updates, err := p.config.Projection.Apply(ctx, messages)
	applied()
	if err != nil {
		return fmt.Errorf("apply %d messages: %w", len(messages), err)
	}
	for _, update := range updates {
		driver.InjectTrace(ctx, update)
	}
	_, err = p.announce(ctx, updates)
	return err
}

// panicked is the error that a panic becomes. The stack goes to the log alone: reasons are kept short.
func (p *Projector) panicked(reason any) error {
	stack := debug.Stack()
	if raised, ok := reason.(*panics.Raised); ok {
		reason, stack = raised.Reason, raised.Stack
	}
	err := fmt.Errorf("panic: %v", reason)
	p.logger.Error("Projection panicked", err, watermill.LogFields{"stack": string(stack)})
	return err
}

// announce publishes updates. Those that the broker refuses for good are left out: what they tell of is applied, and
// to try them again would hold up the others. After an error it returns those that are left.
func (p *Projector) announce(ctx context.Context, updates []*message.Message) (left []*message.Message, err error) {
	err = p.publish(p.config.UpdatesTopic, updates)
	if err == nil {
		return nil, nil
	}
	if len(driver.Refusals(err)) == 0 {
		return updates, err
	}
	for i, update := range updates {
		err := p.publish(p.config.UpdatesTopic, []*message.Message{update})
		switch {
		case err == nil:
		case len(driver.Refusals(err)) > 0:
			p.logger.Error("Projector leaves out an update that is refused", err, watermill.LogFields{"message_uuid": update.UUID})
			p.metrics.refuse(ctx)
		default: // the broker is away: each of the others would wait for it as long
			return updates[i:], err
		}
	}
	return nil, nil
}

func (p *Projector) publish(topic string, messages []*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	if err := p.config.Publisher.Publish(topic, messages...); err != nil {
		return fmt.Errorf("publish %d messages to topic %q: %w", len(messages), topic, err)
	}
	return nil
}
