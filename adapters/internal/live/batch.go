// Package live has what live Pub/Subs share: how a message is handed out, and for those in a database the encoding of batches and
// subscriptions.
package live

import (
	"encoding/json"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/reload"
)

// MaxBytes is the largest encoded batch. Of a larger one only the topic is told.
const MaxBytes = 256 << 10

type batch struct {
	Topic    string     `json:"topic"`
	Messages []envelope `json:"messages"`
}

type envelope struct {
	UUID     string            `json:"uuid"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Payload  []byte            `json:"payload,omitempty"`
}

// Encode encodes messages of a topic as JSON. Messages that are larger together than MaxBytes become one message by which
// streams load all keys of the topic again.
func Encode(topic string, messages []*message.Message) ([]byte, error) {
	size := 0
	for _, msg := range messages {
		size += len(msg.Payload)
	}
	if size <= MaxBytes {
		encoded, err := encode(topic, messages)
		if err != nil || len(encoded) <= MaxBytes {
			return encoded, err
		}
	}
	return encode(topic, []*message.Message{newReload()})
}

// newReload returns a message by which streams load all keys of its topic again.
func newReload() *message.Message {
	msg := message.NewMessage(watermill.NewUUID(), nil)
	reload.Mark(msg)
	return msg
}

func encode(topic string, messages []*message.Message) ([]byte, error) {
	b := batch{Topic: topic, Messages: make([]envelope, len(messages))}
	for i, msg := range messages {
		b.Messages[i] = envelope{msg.UUID, msg.Metadata, msg.Payload}
	}
	encoded, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode %d messages of topic %q: %w", len(messages), topic, err)
	}
	return encoded, nil
}

// Decode returns what Encode was given.
func Decode(encoded []byte) (topic string, messages []*message.Message, err error) {
	var b batch
	if err := json.Unmarshal(encoded, &b); err != nil {
		return "", nil, fmt.Errorf("decode messages: %w", err)
	}
	for _, e := range b.Messages {
		msg := message.NewMessage(e.UUID, e.Payload)
		for key, value := range e.Metadata {
			msg.Metadata.Set(key, value)
		}
		messages = append(messages, msg)
	}
	return b.Topic, messages, nil
}
