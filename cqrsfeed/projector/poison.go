package projector

import (
	"context"
	"errors"
	"strconv"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/reason"
)

// setAside publishes poison messages with their reasons, acknowledges them, and returns the others. After an error
// it returns those that could not be published as well.
func (p *Projector) setAside(ctx context.Context, batch []delivery, reasons map[*message.Message]error) (rest []delivery, err error) {
	var dead []delivery
	var copies []*message.Message
	for _, d := range batch {
		reason, poisoned := reasons[d.msg]
		if !poisoned {
			rest = append(rest, d)
			continue
		}
		dead, copies = append(dead, d), append(copies, p.poisonCopy(d, reason))
	}
	err = p.publish(p.config.PoisonTopic, copies)
	if err == nil {
		for i, d := range dead {
			p.aside(ctx, d, copies[i])
		}
		return rest, nil
	}
	if len(driver.Refusals(err)) == 0 {
		return batch, err
	}
	err = nil
	for i, d := range dead {
		if failure := p.setAsideAlone(ctx, d, copies[i]); failure != nil {
			rest, err = append(rest, d), errors.Join(err, failure)
		}
	}
	return rest, err
}

func (p *Projector) poisonCopy(d delivery, cause error) *message.Message {
	set := d.msg.Copy()
	if set.Metadata == nil {
		set.Metadata = message.Metadata{}
	}
	delete(set.Metadata, PoisonPayloadKey) // of a replay
	set.Metadata.Set(PoisonReasonKey, reason.Text(cause))
	set.Metadata.Set(PoisonTopicKey, d.topic)
	set.Metadata.Set(PoisonHandlerKey, p.config.Name)
	return set
}

// aside acknowledges a message that the poison topic has.
func (p *Projector) aside(ctx context.Context, d delivery, set *message.Message) {
	p.logger.Error("Projector set a message aside", errors.New(set.Metadata.Get(PoisonReasonKey)),
		watermill.LogFields{"message_uuid": d.msg.UUID, "topic": d.topic})
	p.metrics.setAside(ctx, 1)
	d.settle(true)
}

// setAsideAlone publishes a poison message as far as the broker takes it: without its payload where it must, and
// where it takes nothing of it only the log has it.
func (p *Projector) setAsideAlone(ctx context.Context, d delivery, set *message.Message) error {
	err := p.publish(p.config.PoisonTopic, []*message.Message{set})
	if err == nil {
		p.aside(ctx, d, set)
		return nil
	}
	if len(driver.Refusals(err)) == 0 {
		return err
	}
	everything := watermill.LogFields{
		"message_uuid": d.msg.UUID, "topic": d.topic, "reason": set.Metadata.Get(PoisonReasonKey),
		"metadata": map[string]string(d.msg.Metadata), "payload": string(d.msg.Payload),
	}
	set = set.Copy()
	set.Metadata.Set(PoisonPayloadKey, strconv.Itoa(len(d.msg.Payload)))
	set.Payload = nil
	withoutPayload := p.publish(p.config.PoisonTopic, []*message.Message{set})
	switch {
	case withoutPayload == nil:
		p.logger.Error("The poison topic refuses a message, it has it without its payload", err, everything)
		p.aside(ctx, d, set)
		return nil
	case len(driver.Refusals(withoutPayload)) == 0:
		return withoutPayload
	}
	p.logger.Error("The poison topic refuses a message also without its payload, only this log has it",
		errors.Join(err, withoutPayload), everything)
	p.metrics.drop(ctx)
	d.settle(true)
	return nil
}
