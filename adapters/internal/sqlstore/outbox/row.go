package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// maxTopicLength is the maximum length of topics and UUIDs in bytes, and the size of their columns.
const maxTopicLength = 255

// row is a message as the outbox stores it.
type row struct {
	uuid      string
	topic     string
	metadata  string
	payload   []byte
	createdAt int64 // only of rows that were read
}

// Check returns an error for a message that the outbox would refuse.
func Check(o *Outbox, topic string, msg *message.Message) error {
	row, err := encodeRow(topic, msg)
	if err != nil {
		return err
	}
	return o.checkSize(row)
}

// fields returns the destinations of messageColumns for Scan.
func (r *row) fields(id *int64) []any {
	return []any{id, &r.uuid, &r.topic, &r.metadata, &r.payload, &r.createdAt}
}

// encodeRow returns an error for a message that could not be read back unchanged. A database may truncate it silently.
func encodeRow(topic string, msg *message.Message) (row, error) {
	if msg == nil {
		return row{}, fmt.Errorf("%w: message is nil", cqrsfeed.ErrInvalid)
	}
	if topic == "" {
		return row{}, fmt.Errorf("%w: message %q: topic is empty", cqrsfeed.ErrInvalid, msg.UUID)
	}
	for what, name := range map[string]string{"topic": topic, "UUID": msg.UUID} {
		if len(name) > maxTopicLength || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
			return row{}, fmt.Errorf("%w: message %q: %s %q must be valid UTF-8 without NUL, of at most %d bytes",
				cqrsfeed.ErrInvalid, msg.UUID, what, name, maxTopicLength)
		}
	}
	metadata := msg.Metadata
	if metadata == nil {
		metadata = message.Metadata{}
	}
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return row{}, fmt.Errorf("%w: message %q: metadata %q is not valid UTF-8", cqrsfeed.ErrInvalid, msg.UUID, key)
		}
	}
	encoded, err := json.Marshal(metadata)
	if err != nil {
		return row{}, fmt.Errorf("message %q: encode metadata: %w", msg.UUID, err)
	}
	payload := []byte(msg.Payload)
	if payload == nil {
		payload = []byte{} // nil would become NULL
	}
	return row{uuid: msg.UUID, topic: topic, metadata: string(encoded), payload: payload}, nil
}

// decode returns the message that encodeRow was given, with ctx as its context. If the metadata cannot be decoded,
// because another program wrote the row, it returns an error and the message without metadata.
func (r *row) decode(ctx context.Context) (outbox.Message, error) {
	msg := message.NewMessage(r.uuid, r.payload)
	msg.SetContext(ctx)
	err := json.Unmarshal([]byte(r.metadata), &msg.Metadata)
	if err != nil {
		err = fmt.Errorf("message %q: decode metadata: %w", r.uuid, err)
	}
	if err != nil || msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	return outbox.Message{Topic: r.topic, Message: msg, AddedAt: time.UnixMicro(r.createdAt).UTC()}, err
}
