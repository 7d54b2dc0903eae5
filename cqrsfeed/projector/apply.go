package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/panics"
)

// apply applies a batch. What the projection refuses is set aside and the rest is applied at once again. Without a
// poison topic the refusals are returned, joined, when the rest is applied. Another error returns with the messages that
// are still to be applied.
func (p *Projector) apply(ctx context.Context, batch []*delivery) (rest []*delivery, err error) {
	var refusals []error
	for len(batch) > 0 {
		refused, err := p.attempt(ctx, batch)
		switch {
		case err != nil:
		case len(refused) == 0:
			p.metrics.done(ctx, batch)
			p.applied.Add(1)
			settle(batch, true)
			batch = nil
		case p.config.PoisonTopic == "":
			p.metrics.count(ctx, p.metrics.failures)
			batch, refusals = withoutRefused(batch, refused, refusals)
		default:
			batch, err = p.setAside(ctx, batch, refused)
		}
		if err != nil {
			p.metrics.count(ctx, p.metrics.failures)
			return batch, err
		}
	}
	return nil, errors.Join(refusals...)
}

// attempt has the projection apply a batch once and publishes the updates. It returns which messages of the batch the
// projection refuses, and why. Its error contains no RefusedError.
func (p *Projector) attempt(ctx context.Context, batch []*delivery) (refused map[*message.Message]error, err error) {
	messages := make([]*message.Message, len(batch))
	for i, d := range batch {
		messages[i] = d.msg
	}
	ctx, end := p.traces.startApply(ctx, messages)
	updates, err := p.project(ctx, messages)
	if err == nil {
		_, err = p.announce(ctx, updates)
	}
	end(err)
	return refusedOf(messages, err)
}

// project has the projection apply messages. The updates that it returns carry the trace on.
func (p *Projector) project(ctx context.Context, messages []*message.Message) (updates []*message.Message, err error) {
	start := time.Now()
	err = p.recovered(func() (err error) {
		updates, err = p.config.Projection.Apply(ctx, messages)
		return err
	})
	p.metrics.attempted(ctx, start)
	if err != nil {
		return nil, fmt.Errorf("apply %d messages: %w", len(messages), err)
	}
	for _, update := range updates {
		driver.InjectTrace(ctx, update)
		update.SetContext(ctx) // another projector in this process has no more time than this one
	}
	return updates, nil
}

// refusedOf returns the messages of a batch that an error of the projection refuses. A refusal without a message is of
// the only one. Other refusals are an error as any other.
func refusedOf(batch []*message.Message, err error) (map[*message.Message]error, error) {
	refusals := driver.Refusals(err)
	if len(refusals) == 0 {
		return nil, err
	}
	refused := map[*message.Message]error{}
	for _, r := range refusals {
		for _, msg := range batch {
			if r.Message == msg || r.Message == nil && len(batch) == 1 {
				refused[msg] = r.Reason
			}
		}
	}
	if len(refused) == 0 { // the caller must not see a refusal that names none of its messages
		return nil, errors.New("refused without a message of the batch: " + err.Error())
	}
	return refused, nil
}

// withoutRefused returns the messages of a batch that are not refused, and adds a RefusedError for each of the others.
func withoutRefused(
	batch []*delivery, refused map[*message.Message]error, refusals []error,
) (rest []*delivery, all []error) {
	for _, d := range batch {
		if reason, ok := refused[d.msg]; ok {
			refusals = append(refusals, &cqrsfeed.RefusedError{Message: d.msg, Reason: reason})
		} else {
			rest = append(rest, d)
		}
	}
	return rest, refusals
}

// announce publishes updates. Those that the publisher refuses are left out: what they tell of is applied, and another
// attempt would hold up the others. An error, which contains no RefusedError, returns with the updates that are still to be
// published.
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
			p.metrics.count(ctx, p.metrics.refused)
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
	if topic == "" {
		return fmt.Errorf("the projection returned %d updates, and the projector has no UpdatesTopic", len(messages))
	}
	err := p.recovered(func() error { return p.config.Publisher.Publish(topic, messages...) })
	if err != nil {
		return fmt.Errorf("publish %d messages to topic %q: %w", len(messages), topic, err)
	}
	return nil
}

// recovered calls code of the application and returns its panic as an error. Only the log gets the stack.
func (p *Projector) recovered(call func() error) (err error) {
	raised := panics.Catch(func() { err = call() })
	if raised == nil {
		return err
	}
	err = fmt.Errorf("panic: %v", raised.Reason)
	p.logger.Error("Projector recovered from a panic", err, watermill.LogFields{"stack": string(raised.Stack)})
	return err
}
