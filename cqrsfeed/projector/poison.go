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

// Keys of the metadata of a message in the poison topic: the reason, cut off after 2,000 bytes, the topic that it came from,
// and the Name of the projector. They are those of Watermill's PoisonQueue middleware, so that tools for one read the other.
const (
	PoisonReasonKey  = "reason_poisoned"
	PoisonTopicKey   = "topic_poisoned"
	PoisonHandlerKey = "handler_poisoned"
)

// PoisonPayloadKey is in the metadata of a message whose payload the poison topic refused. Its value is the size of the
// payload in bytes. The projector's log has the payload.
const PoisonPayloadKey = "payload_poisoned"

// setAside publishes the messages that have reasons to the poison topic and acknowledges them. It returns the others, and with
// an error also those that it could not publish.
func (p *Projector) setAside(
	ctx context.Context, batch []*delivery, reasons map[*message.Message]error,
) (rest []*delivery, err error) {
	for _, d := range batch {
		cause, aside := reasons[d.msg]
		if aside && err == nil { // after an error the broker is most likely away
			err = p.poison(ctx, d, cause)
			aside = err == nil
		}
		if !aside || err != nil {
			rest = append(rest, d)
		}
	}
	return rest, err
}

// poison publishes a message to the poison topic and acknowledges it. If the topic refuses the message, it is published
// without its payload. If the topic refuses that too, only the log has the message.
func (p *Projector) poison(ctx context.Context, d *delivery, cause error) error {
	poisoned := p.poisonCopy(d, cause)
	fields := watermill.LogFields{"message_uuid": d.msg.UUID, "topic": d.topic}
	err := p.publish(p.config.PoisonTopic, []*message.Message{poisoned})
	if len(driver.Refusals(err)) > 0 {
		fields["refusal"] = err.Error()
		fields["metadata"], fields["payload"] = map[string]string(d.msg.Metadata), string(d.msg.Payload)
		poisoned = poisoned.Copy()
		poisoned.Metadata.Set(PoisonPayloadKey, strconv.Itoa(len(poisoned.Payload)))
		poisoned.Payload = nil
		err = p.publish(p.config.PoisonTopic, []*message.Message{poisoned})
	}
	why := errors.New(poisoned.Metadata.Get(PoisonReasonKey))
	switch {
	case len(driver.Refusals(err)) > 0:
		p.logger.Error("Projector dropped a message, the poison topic refuses it", why, fields)
		p.metrics.count(ctx, p.metrics.dropped)
	case err != nil:
		return err
	default:
		p.logger.Error("Projector set a message aside", why, fields)
		p.metrics.count(ctx, p.metrics.poisoned)
	}
	d.settle(true)
	return nil
}

func (p *Projector) poisonCopy(d *delivery, cause error) *message.Message {
	poisoned := d.msg.Copy()
	if poisoned.Metadata == nil {
		poisoned.Metadata = message.Metadata{}
	}
	delete(poisoned.Metadata, PoisonPayloadKey) // of a replay
	driver.UnmarkUpdate(poisoned)               // the poison topic must keep it
	poisoned.Metadata.Set(PoisonReasonKey, reason.Text(cause))
	poisoned.Metadata.Set(PoisonTopicKey, d.topic)
	poisoned.Metadata.Set(PoisonHandlerKey, p.config.Name)
	return poisoned
}
