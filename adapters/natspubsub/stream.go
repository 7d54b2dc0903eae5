package natspubsub

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Stream is a JetStream stream that holds the messages of topics. It makes the publisher and the subscribers
// of these topics. It is safe for concurrent use and needs no closing.
type Stream struct {
	config StreamConfig
	nc     *nats.Conn
	js     jetstream.JetStream
	logger watermill.LoggerAdapter
}

// NewStream checks the configuration. It does not talk to the broker: [Stream.Ensure] makes the stream there.
// The connection stays the caller's: nothing here closes or drains it, and it has to stay open until the
// publishers and subscribers were closed. It should reconnect for ever (nats.MaxReconnects(-1)), because its
// end is the end of every subscription, and ask the broker for a sign of life every few seconds
// (nats.PingInterval): a connection that the network has forgotten is made anew within three times as long,
// which by default is six minutes. The package's documentation tells what that delays. A nil logger logs nothing.
func NewStream(nc *nats.Conn, config StreamConfig, logger watermill.LoggerAdapter) (*Stream, error) {
	err := config.Validate()
	if nc == nil {
		err = errors.Join(errors.New("no connection"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("stream config: %w", err)
	}
	config.setDefaults()
	config.Topics = slices.Clone(config.Topics)
	if logger == nil {
		logger = watermill.NopLogger{}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("stream %q: use JetStream: %w", config.Name, err)
	}

	return &Stream{config: config, nc: nc, js: js, logger: logger.With(watermill.LogFields{"stream": config.Name})}, nil
}

// Subject answers the NATS subject of a topic, for people who look at the stream with other tools: the prefix,
// a dot, and the topic. Dots within a topic separate the subject's tokens; bytes that a subject cannot hold
// are written as %XX. The error is [ErrInvalidTopic] or [ErrUnknownTopic].
func (s *Stream) Subject(topic string) (string, error) {
	subject, err := subjectOf(s.config.SubjectPrefix, topic)
	if err != nil {
		return "", fmt.Errorf("topic %q: %w", topic, err)
	}
	if len(s.config.Topics) > 0 && !slices.Contains(s.config.Topics, topic) {
		return "", fmt.Errorf("topic %q: %w (stream %q has %q)", topic, ErrUnknownTopic, s.config.Name, s.config.Topics)
	}

	return subject, nil
}
