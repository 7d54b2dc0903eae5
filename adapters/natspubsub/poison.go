package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// Poison reads a poison topic of a stream without a consumer. It implements projector.PoisonQueue. The IDs of messages
// are their sequences in the stream.
type Poison struct {
	stream *Stream
	topic  string
}

var _ projector.PoisonQueue = (*Poison)(nil)

// Poison returns a poison topic of the stream. It makes no request.
func (s *Stream) Poison(topic string) *Poison { return &Poison{s, topic} }

// Poisoned implements projector.PoisonQueue. It makes one request for each message.
func (p *Poison) Poisoned(ctx context.Context, after string, limit int) (messages []projector.PoisonedMessage, err error) {
	defer func() { err = p.wrap("list", err) }()
	sequence := uint64(0)
	if after != "" {
		if sequence, err = sequenceOf(after); err != nil {
			return nil, err
		}
	}
	stream, subject, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	limit = driver.PageLimit(limit)
	for bytes := 0; len(messages) < limit && bytes < limits.MaxBatchBytes; {
		raw, err := stream.GetMsg(ctx, sequence+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("get the message after %d: %w", sequence, err)
		}
		sequence = raw.Sequence
		bytes += len(raw.Data)
		msg, err := p.decode(raw)
		if err != nil {
			return nil, err
		}
		messages = append(messages, msg)
	}
	return messages, nil
}

func (p *Poison) decode(raw *jetstream.RawStreamMsg) (projector.PoisonedMessage, error) {
	msg, err := unmarshalMsg(&nats.Msg{Subject: raw.Subject, Header: raw.Header, Data: raw.Data}, p.stream.config.Name, raw.Sequence)
	if err != nil {
		return projector.PoisonedMessage{}, fmt.Errorf("message %d: %w", raw.Sequence, err)
	}
	return projector.PoisonedMessage{ID: strconv.FormatUint(raw.Sequence, 10), Message: msg, SetAside: raw.Time.UTC()}, nil
}

// Lookup implements projector.PoisonQueue by one request to the broker.
func (p *Poison) Lookup(ctx context.Context, id string) (msg projector.PoisonedMessage, found bool, err error) {
	defer func() { err = p.wrap("look up", err) }()
	sequence, err := sequenceOf(id)
	if err != nil {
		return msg, false, err
	}
	stream, subject, err := p.open(ctx)
	if err != nil {
		return msg, false, err
	}
	raw, err := stream.GetMsg(ctx, sequence)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), err == nil && raw.Subject != subject: // the stream has other topics
		return msg, false, nil
	case err != nil:
		return msg, false, fmt.Errorf("message %s: %w", id, err)
	}
	msg, err = p.decode(raw)
	return msg, err == nil, err
}

// Remove implements projector.PoisonQueue.
func (p *Poison) Remove(ctx context.Context, ids ...string) (removed []string, err error) {
	defer func() { err = p.wrap("remove", err) }()
	stream, subject, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		sequence, err := sequenceOf(id)
		if err != nil {
			return removed, err
		}
		raw, err := stream.GetMsg(ctx, sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && raw.Subject != subject {
			continue // the stream has other topics
		}
		if err == nil {
			err = stream.DeleteMsg(ctx, sequence)
		}
		if err != nil {
			return removed, fmt.Errorf("message %s: %w", id, err)
		}
		removed = append(removed, id)
	}
	return removed, nil
}

// open returns the stream and the subject of the topic.
func (p *Poison) open(ctx context.Context) (jetstream.Stream, string, error) {
	subject, err := p.stream.Subject(p.topic)
	if err != nil {
		return nil, "", err
	}
	stream, err := p.stream.lookUp(ctx)
	return stream, subject, err
}

// wrap adds what was being done with messages of which topic.
func (p *Poison) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s messages of topic %q: %w", doing, p.topic, err)
}

func sequenceOf(id string) (uint64, error) {
	sequence, err := strconv.ParseUint(id, 10, 64)
	if err != nil || sequence == 0 {
		return 0, fmt.Errorf("%w: %q is not the ID of a message", cqrsfeed.ErrInvalid, id)
	}
	return sequence, nil
}
