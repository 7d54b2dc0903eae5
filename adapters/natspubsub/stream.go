package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/telemetry"
)

// Off turns a limit off. It is a value for fields whose comments name it.
const Off = -1

// StreamConfig configures a [Stream] and what [Stream.Ensure] creates at the broker. Limits that are zero get their
// defaults when the stream is created. On an existing stream they are not changed.
type StreamConfig struct {
	// Name is the name of the JetStream stream: letters, digits, '-' and '_'. Required.
	Name string

	// SubjectPrefix is the beginning of all subjects: topic "post-created" has the subject SubjectPrefix +
	// ".post-created". The stream takes every topic. The streams of a NATS account must not overlap. Defaults to Name.
	SubjectPrefix string

	// Domain is the JetStream domain of the stream, for a connection through a leaf node. Defaults to the domain of the
	// connected server.
	Domain string

	// APIPrefix is the prefix of the JetStream API, for an account that imports the API of another account. It must not
	// be set together with Domain. Defaults to "$JS.API".
	APIPrefix string

	// Storage is where the broker stores messages. It cannot be changed later. A memory stream on a single server does
	// not survive a restart. Defaults to jetstream.FileStorage.
	Storage jetstream.StorageType

	// Replicas is the number of servers that store each message, 1 to 5. Defaults to 1.
	Replicas int

	// MaxMessages is the maximum number of messages of a topic in the stream. Beyond it the broker refuses messages of
	// that topic with [ErrStreamFull], and they wait in the outbox. Messages that all durable consumers of their topic
	// have acknowledged are removed. Defaults to 100,000.
	MaxMessages int64

	// MaxBytes is the maximum size of the stream, over all topics. Beyond it the broker refuses every message,
	// including the updates of projections, so it should have room for MaxMessages of each topic. Set it if the account
	// requires a limit. Defaults to the limit of the account or the disk.
	MaxBytes int64

	// DuplicateWindow is how long the broker remembers UUIDs and discards repeated messages. It should be longer than
	// the restart of a publisher takes. Defaults to 2 minutes.
	DuplicateWindow time.Duration
}

func (c *StreamConfig) setDefaults() {
	config.Default(&c.SubjectPrefix, c.Name)
	if c.Domain == "" {
		config.Default(&c.APIPrefix, "$JS.API")
	}
}

// Validate returns all problems of the configuration, joined.
func (c StreamConfig) Validate() error {
	c.setDefaults()
	var p config.Problems
	p.Add(checkName("Name", c.Name))
	for token := range strings.SplitSeq(c.SubjectPrefix, ".") {
		p.Check(c.Name == "" || checkName("SubjectPrefix", token) == nil,
			"SubjectPrefix is %q, it may hold only letters, digits, '-', '_' and single dots between them", c.SubjectPrefix)
	}
	p.Check(c.Domain == "" || checkName("Domain", c.Domain) == nil, "Domain is %q, it may hold only letters, digits, '-' and '_'", c.Domain)
	p.Check(c.Domain == "" || c.APIPrefix == "", "Domain and APIPrefix are both set")
	p.Check(c.Storage == jetstream.FileStorage || c.Storage == jetstream.MemoryStorage, "Storage is %d, it must be file or memory", c.Storage)
	p.Check(c.Replicas >= 0 && c.Replicas <= 5, "Replicas is %d, it must be 1 to 5", c.Replicas)
	config.NotNegative(&p, "MaxMessages", c.MaxMessages)
	config.NotNegative(&p, "MaxBytes", c.MaxBytes)
	config.NotNegative(&p, "DuplicateWindow", c.DuplicateWindow)
	return p.Join()
}

// Stream is a JetStream stream that holds the messages of topics. It creates publishers and subscribers. It is safe for
// concurrent use and needs no closing.
type Stream struct {
	config StreamConfig
	nc     *nats.Conn
	js     jetstream.JetStream
	logger watermill.LoggerAdapter
}

// NewStream returns a stream. It makes no request: [Stream.Ensure] creates the stream at the broker. The connection
// must stay open until the publishers and subscribers are closed. If it is closed, all subscriptions end. The package
// comment lists the options that the connection should have. A nil logger logs to slog.Default.
func NewStream(nc *nats.Conn, cfg StreamConfig, logger watermill.LoggerAdapter) (*Stream, error) {
	err := cfg.Validate()
	if nc == nil {
		err = errors.Join(errors.New("no connection"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("stream config: %w", err)
	}
	cfg.setDefaults()
	s := &Stream{config: cfg, nc: nc, logger: telemetry.Logger(logger).With(watermill.LogFields{"stream": cfg.Name})}
	if s.js, err = s.jetStream(); err != nil {
		return nil, fmt.Errorf("stream %q: %w", cfg.Name, err)
	}
	return s, nil
}

// jetStream returns a JetStream context for the configured domain or API prefix.
func (s *Stream) jetStream(options ...jetstream.JetStreamOpt) (js jetstream.JetStream, err error) {
	if s.config.Domain != "" {
		js, err = jetstream.NewWithDomain(s.nc, s.config.Domain, options...)
	} else {
		js, err = jetstream.NewWithAPIPrefix(s.nc, s.config.APIPrefix, options...)
	}
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return js, nil
}

// Subject returns the NATS subject of a topic: the prefix, a dot, and the topic. Dots within a topic separate tokens.
// Bytes that a subject cannot hold are written as %XX. It returns cqrsfeed.ErrInvalid for an empty topic and one that is
// too long.
func (s *Stream) Subject(topic string) (string, error) {
	subject, err := subjectOf(s.config.SubjectPrefix, topic)
	if err != nil {
		return "", fmt.Errorf("topic %q: %w", topic, err)
	}
	return subject, nil
}

// lookUp asks the broker for the stream.
func (s *Stream) lookUp(ctx context.Context) (jetstream.Stream, error) {
	stream, err := s.js.Stream(ctx, s.config.Name)
	if err != nil {
		return nil, fmt.Errorf("look up stream %q: %w", s.config.Name, asNoStream(err))
	}
	return stream, nil
}

// extent is the range of messages in a stream.
type extent struct {
	created time.Time // distinguishes the stream from its successors of the same name
	last    uint64    // sequence
	removed uint64    // how many of its messages are no longer there
}

// extent asks the broker for the extent of the stream.
func (s *Stream) extent(ctx context.Context) (extent, error) {
	stream, err := s.lookUp(ctx)
	if err != nil {
		return extent{}, err
	}
	info := stream.CachedInfo() // fetched by the call above
	return extent{info.Created, info.State.LastSeq, info.State.LastSeq - info.State.Msgs}, nil
}
