package cqrsfeed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Projector runs a Projection on a Watermill subscriber: it gathers messages into batches, applies them,
// publishes the updates, and acknowledges only then. Failures of the store or the broker are retried with
// backoff for as long as it runs; messages that can never be applied go to the poison topic.
//
// Batches form only as far as the subscriber lets several messages of a topic be unacknowledged at once.
type Projector struct {
	config  ProjectorConfig
	logger  watermill.LoggerAdapter
	running chan struct{}
	once    sync.Once // closes running
}

// NewProjector checks the configuration; it starts nothing. A nil logger logs nothing.
func NewProjector(config ProjectorConfig, logger watermill.LoggerAdapter) (*Projector, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("projector config: %w", err)
	}
	if logger == nil {
		logger = watermill.NopLogger{}
	}
	return &Projector{
		config:  config,
		logger:  logger.With(watermill.LogFields{"projector": config.Name}),
		running: make(chan struct{}),
	}, nil
}

// Running is closed when Run has subscribed to all topics: what is published from then on is heard, also
// with a Pub/Sub that keeps nothing for later subscribers.
func (p *Projector) Running() <-chan struct{} { return p.running }

// Run subscribes, applies until ctx ends, finishes the batches at hand (within CloseTimeout) and gives
// back the messages that it did not begin. It returns nil after a stop, and an error when subscribing
// failed or a subscription ended by itself; nothing of it runs on afterwards.
func (p *Projector) Run(ctx context.Context) error {
	stopping, stop := context.WithCancel(ctx)
	defer stop()

	in, err := p.subscribe(ctx, stopping)
	if err != nil {
		return err
	}
	defer in.close()
	p.once.Do(func() { close(p.running) })

	// work is what batches at hand use: it ends CloseTimeout after the stop.
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	defer context.AfterFunc(stopping, func() { time.AfterFunc(p.config.CloseTimeout, abandon) })()

	var workers sync.WaitGroup
	for range p.config.Workers {
		workers.Go(func() { p.applyBatches(stopping, work, in.deliveries) })
	}
	workers.Go(func() { p.sweep(stopping, work) })

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-in.ended:
	}
	stop()
	workers.Wait()
	return failure
}

// applyBatches is one worker.
func (p *Projector) applyBatches(stopping, work context.Context, deliveries <-chan delivery) {
	gather := gatherer{deliveries: deliveries, size: p.config.BatchSize, wait: p.config.BatchWait}
	for {
		batch := gather.next(stopping)
		if len(batch) == 0 {
			return
		}
		acknowledge(batch, p.applyUntilDone(stopping, work, batch))
	}
}

func acknowledge(batch []delivery, done bool) {
	for _, d := range batch {
		if done {
			d.msg.Ack()
		} else {
			d.msg.Nack()
		}
	}
}

// applyUntilDone retries a batch until it is applied and its updates are published. It reports false when
// the projector was stopped before that.
func (p *Projector) applyUntilDone(stopping, work context.Context, batch []delivery) bool {
	failing := backoff{least: p.config.MinBackoff, most: p.config.MaxBackoff}
	for len(batch) > 0 {
		rest, err := p.apply(work, batch)
		if err == nil {
			batch = rest
			failing.reset()
			continue
		}
		p.logger.Error("Projector could not apply a batch, will retry", err, watermill.LogFields{"messages": len(batch)})
		if !failing.wait(stopping) {
			return false
		}
	}
	return true
}

// apply makes one attempt. It returns what is left to apply: nothing when all went well, the others when
// some messages were poison.
func (p *Projector) apply(ctx context.Context, batch []delivery) ([]delivery, error) {
	messages := make([]*message.Message, len(batch))
	for i, d := range batch {
		messages[i] = d.msg
	}
	updates, err := p.config.Projection.Apply(ctx, messages)
	if poison := poisonIn(err); len(poison) > 0 {
		return p.setAside(batch, poison)
	}
	if err != nil {
		return nil, fmt.Errorf("apply %d messages: %w", len(batch), err)
	}
	return nil, p.publish(p.config.UpdatesTopic, updates)
}

// setAside publishes poison messages with their reasons and returns the others.
func (p *Projector) setAside(batch []delivery, poison []*PoisonError) ([]delivery, error) {
	reasons := make(map[*message.Message]error, len(poison))
	for _, e := range poison {
		reasons[e.Message] = e.Reason
	}
	var rest []delivery
	var copies []*message.Message
	for _, d := range batch {
		reason, poisoned := reasons[d.msg]
		if !poisoned {
			rest = append(rest, d)
			continue
		}
		p.logger.Error("Projector set a message aside", reason, watermill.LogFields{"message_uuid": d.msg.UUID, "topic": d.topic})
		dead := d.msg.Copy()
		dead.Metadata.Set(PoisonReasonKey, reason.Error())
		dead.Metadata.Set(PoisonTopicKey, d.topic)
		dead.Metadata.Set(PoisonHandlerKey, p.config.Name)
		copies = append(copies, dead)
	}
	if len(copies) == 0 {
		return nil, errors.New("projection named poison messages that are not of the batch")
	}
	return rest, p.publish(p.config.PoisonTopic, copies)
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
