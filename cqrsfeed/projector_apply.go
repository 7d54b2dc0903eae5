package cqrsfeed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// applyBatches is one worker.
func (p *Projector) applyBatches(stopping, work context.Context) {
	gather := gatherer{deliveries: p.deliveries, size: p.config.BatchSize, wait: p.config.BatchWait}
	for {
		batch := gather.next(stopping)
		if len(batch) == 0 {
			return
		}
		p.applyUntilDone(stopping, work, batch)
	}
}

// applyUntilDone retries a batch until it is applied and its updates are published, and acknowledges it then.
// What is left when the projector is stopped before that is given back.
func (p *Projector) applyUntilDone(stopping, work context.Context, batch []delivery) {
	failing := backoff{least: p.config.MinBackoff, most: p.config.MaxBackoff}
	for {
		rest, err := p.apply(work, batch)
		if err == nil && len(rest) == 0 {
			return
		}
		if err == nil { // without the poison it may go well at once
			batch = rest
			failing.reset()
			continue
		}
		p.logger.Error("Projector could not apply a batch, will retry", err, watermill.LogFields{"messages": len(batch)})
		if !failing.wait(stopping) {
			settle(batch, false)
			return
		}
		p.metrics.retried(work)
	}
}

// apply makes one attempt. When all went well the batch is acknowledged. When some messages were poison those are,
// and it returns the others.
func (p *Projector) apply(ctx context.Context, batch []delivery) (rest []delivery, err error) {
	messages := make([]*message.Message, len(batch))
	for i, d := range batch {
		messages[i] = d.msg
	}
	ctx, end := p.traces.startApply(ctx, messages)
	defer func() { end(err) }()

	start := time.Now()
	updates, err := p.config.Projection.Apply(ctx, messages)
	p.metrics.applied(ctx, start)
	if poison := poisonIn(err); len(poison) > 0 {
		return p.setAside(ctx, batch, poison)
	}
	if err != nil {
		return nil, fmt.Errorf("apply %d messages: %w", len(batch), err)
	}
	for _, update := range updates {
		InjectTrace(ctx, update)
	}
	if err := p.publish(p.config.UpdatesTopic, updates); err != nil {
		return nil, err
	}
	p.metrics.done(ctx, batch)
	settle(batch, true)
	return nil, nil
}

// setAside publishes poison messages with their reasons, acknowledges them, and returns the others.
func (p *Projector) setAside(ctx context.Context, batch []delivery, poison []*PoisonError) ([]delivery, error) {
	reasons := make(map[*message.Message]error, len(poison))
	for _, e := range poison {
		reasons[e.Message] = e.Reason
	}
	var rest, dead []delivery
	var copies []*message.Message
	for _, d := range batch {
		reason, poisoned := reasons[d.msg]
		if !poisoned {
			rest = append(rest, d)
			continue
		}
		p.logger.Error("Projector set a message aside", reason, watermill.LogFields{"message_uuid": d.msg.UUID, "topic": d.topic})
		set := d.msg.Copy()
		set.Metadata.Set(PoisonReasonKey, reason.Error())
		set.Metadata.Set(PoisonTopicKey, d.topic)
		set.Metadata.Set(PoisonHandlerKey, p.config.Name)
		dead, copies = append(dead, d), append(copies, set)
	}
	if len(copies) == 0 {
		return nil, errors.New("projection named poison messages that are not of the batch")
	}
	if err := p.publish(p.config.PoisonTopic, copies); err != nil {
		return nil, err
	}
	p.metrics.setAside(ctx, len(dead))
	settle(dead, true)
	return rest, nil
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
