package projector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/panics"
)

// apply applies a batch. It sets aside the messages that the projection refuses, leaves out those that fail alone, and
// applies the rest again at once. Without a poison topic it returns the refusals, joined, when all others are applied. With
// another error it returns the messages that are still to be applied.
func (p *Projector) apply(ctx context.Context, batch []*delivery) (rest []*delivery, err error) {
	var refusals, failures []error
	for len(batch) > 0 {
		refused, failed, err := p.attempt(ctx, batch)
		if err == nil && len(refused) == 0 && len(failed) == 0 {
			p.metrics.done(ctx, batch)
			p.applied.Add(1)
			settle(batch, true)
			break
		}
		if err != nil || len(failed) > 0 || p.config.PoisonTopic == "" {
			p.metrics.count(ctx, p.metrics.failures)
		}
		if err != nil {
			return append(rest, batch...), err
		}
		for _, d := range batch {
			if reason, ok := failed[d.msg]; ok {
				rest, failures = append(rest, d), append(failures, &cqrsfeed.FailedError{Message: d.msg, Reason: reason})
			}
		}
		batch = slices.DeleteFunc(slices.Clone(batch), func(d *delivery) bool { return failed[d.msg] != nil })
		if p.config.PoisonTopic == "" {
			batch, refusals = withoutRefused(batch, refused, refusals)
		} else if batch, err = p.setAside(ctx, batch, refused); err != nil {
			p.metrics.count(ctx, p.metrics.failures)
			return append(rest, batch...), err
		}
	}
	if len(failures) > 0 {
		return rest, errors.Join(failures...) // the refused messages are applied again with the rest
	}
	return nil, errors.Join(refusals...)
}

// attempt makes the projection apply a batch once and publishes the updates. It returns the messages that the projection
// refuses and those that fail alone, with the reasons. Its error contains no RefusedError.
func (p *Projector) attempt(ctx context.Context, batch []*delivery) (refused, failed map[*message.Message]error, err error) {
	messages := make([]*message.Message, len(batch))
	for i, d := range batch {
		messages[i] = d.msg
	}
	ctx, end := p.traces.startApply(ctx, messages)
	updates, err := p.project(ctx, messages)
	if _, failed := p.announce(ctx, updates); failed != nil {
		err = failed // what is refused as well is refused again, when its updates can be published
	}
	end(err)
	p.history.attempted(batch, err)
	return leftOutOf(messages, err)
}

// project makes the projection apply messages. The updates carry the trace on.
func (p *Projector) project(ctx context.Context, messages []*message.Message) (updates []*message.Message, err error) {
	start := time.Now()
	err = p.recovered(func() (err error) {
		updates, err = p.config.Projection.Apply(ctx, messages)
		return err
	})
	p.metrics.attempted(ctx, start)
	if err != nil {
		err = fmt.Errorf("apply %d messages: %w", len(messages), err)
		if len(driver.Refusals(err)) == 0 {
			updates = nil
		}
	}
	for _, update := range updates {
		driver.InjectTrace(ctx, update)
		update.SetContext(ctx) // another projector in this process has the same deadline
	}
	return updates, err
}

// leftOutOf returns the messages of a batch that an error of the projection refuses, and those that failed alone. A refusal
// without a message refers to the only message of the batch. If err names no message of the batch, leftOutOf returns it.
func leftOutOf(batch []*message.Message, err error) (refused, failed map[*message.Message]error, other error) {
	if err == nil {
		return nil, nil, nil
	}
	refused, failed = map[*message.Message]error{}, map[*message.Message]error{}
	for _, f := range driver.Failures(err) {
		if slices.Contains(batch, f.Message) {
			failed[f.Message] = f.Reason
		}
	}
	for _, r := range driver.Refusals(err) {
		for _, msg := range batch {
			if r.Message == msg || r.Message == nil && len(batch) == 1 {
				refused[msg] = r.Reason
				delete(failed, msg)
			}
		}
	}
	switch {
	case len(refused)+len(failed) > 0:
		return refused, failed, nil
	case len(driver.Refusals(err)) > 0: // the caller must not get a refusal of a message that it did not send
		return nil, nil, errors.New("refused without a message of the batch: " + err.Error())
	default:
		return nil, nil, err
	}
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

// announce publishes updates. It leaves out those that the publisher refuses: their changes are applied, and another attempt
// would hold up the others. With an error, which contains no RefusedError, it returns the updates that are still to be
// published.
func (p *Projector) announce(ctx context.Context, updates []*message.Message) (left []*message.Message, err error) {
	for _, update := range updates {
		driver.MarkUpdate(update)
	}
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
		default: // the broker is away, and each of the others would wait as long
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
func (p *Projector) recovered(call func() error) error {
	raised, err := panics.CatchError(call)
	if raised == nil {
		return err
	}
	err = fmt.Errorf("panic: %v", raised.Reason)
	p.logger.Error("Projector recovered from a panic", err, watermill.LogFields{"stack": string(raised.Stack)})
	return err
}
