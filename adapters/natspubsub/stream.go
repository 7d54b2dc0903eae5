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

// Off switches a limit off. It is a value for the fields whose comments name it.
const Off = -1

// StreamConfig configures a [Stream] and what [Stream.Ensure] creates at the broker. Limits that are zero get their
// defaults when the stream is created; on an existing stream they are left as they are.
type StreamConfig struct {
	// Name is the name of the JetStream stream: letters, digits, '-' and '_'. Required.
	Name string

	// SubjectPrefix is the beginning of all subjects: topic "post-created" has the subject SubjectPrefix +
	// ".post-created". The stream takes every topic. The streams of a NATS account must not overlap. Defaults to Name.
	SubjectPrefix string

	// Domain is the JetStream domain of the stream, for a broker that is reached through a leaf node. Defaults to the
	// domain of the connected server.
	Domain string

	// APIPrefix is the prefix of the JetStream API, for an account that imports the API of another account. It excludes
	// Domain. Defaults to "$JS.API".
	APIPrefix string

	// Storage is where the broker keeps messages. It cannot be changed later. A memory stream on a single server does
	// not survive a restart. Defaults to jetstream.FileStorage.
	Storage jetstream.StorageType

	// Replicas is the number of servers that keep each message, 1 to 5. Defaults to 1.
	Replicas int

	// MaxAge is how long messages are kept, read or not. A durable subscriber that is absent for longer loses messages,
	// which the outbox no longer has; readmodel.Rebuild then restores the read model. [Off] keeps messages without a
	// limit of age. Defaults to 7 days.
	MaxAge time.Duration

	// MaxBytes is the size of the stream, over all topics. Beyond it the oldest messages are discarded, read or not,
	// with the same consequences as MaxAge. With [Off] the disk or the account's limit is the limit: the broker then
	// refuses new messages and they wait in the outbox. Defaults to 1 GiB.
	MaxBytes int64

	// DuplicateWindow is how long the broker remembers UUIDs and discards a message that is published again. It should
	// be longer than a publisher needs to restart, and must not be longer than MaxAge. Defaults to 2 minutes, or to
	// MaxAge if that is less.
	DuplicateWindow time.Duration
}

func (c *StreamConfig) setDefaults() {
	config.Default(&c.SubjectPrefix, c.Name)
	if c.Domain == "" {
		config.Default(&c.APIPrefix, "$JS.API")
	}
}

// Validate returns the problems of the configuration, joined.
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
	p.Check(c.MaxAge >= 0 || c.MaxAge == Off, "MaxAge is %s, it must be positive or Off", c.MaxAge)
	p.Check(c.MaxBytes >= 0 || c.MaxBytes == Off, "MaxBytes is %d, it must be positive or Off", c.MaxBytes)
	config.NotNegative(&p, "DuplicateWindow", c.DuplicateWindow)
	p.Check(c.MaxAge <= 0 || c.DuplicateWindow <= c.MaxAge, "DuplicateWindow %s is longer than MaxAge %s", c.DuplicateWindow, c.MaxAge)

	return p.Join()
}

// Stream is a JetStream stream that holds the messages of topics. It makes their publishers
// and subscribers. It is safe for concurrent use and needs no closing.
type Stream struct {
	config StreamConfig
	nc     *nats.Conn
	js     jetstream.JetStream
	logger watermill.LoggerAdapter
}

// NewStream returns a stream. It does not talk to the broker; [Stream.Ensure] creates the stream there. The connection
// must stay open until the publishers and subscribers are closed: its end ends every subscription. The package
// documentation lists the options it should have. A nil logger logs to slog.Default.
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

// Subject returns the NATS subject of a topic: the prefix, a dot, and the topic. Dots within a topic separate tokens;
// bytes that a subject cannot hold are written as %XX. The error is [ErrInvalidTopic].
func (s *Stream) Subject(topic string) (string, error) {
	subject, err := subjectOf(s.config.SubjectPrefix, topic)
	if err != nil {
		return "", fmt.Errorf("topic %q: %w", topic, err)
	}

	return subject, nil
}

// extent is what a stream holds.
type extent struct {
	created     time.Time // distinguishes the stream from its successors of the same name
	first, last uint64    // sequences
}

// extent asks the broker for the extent of the stream.
func (s *Stream) extent(ctx context.Context) (extent, error) {
	stream, err := s.js.Stream(ctx, s.config.Name)
	if err != nil {
		return extent{}, fmt.Errorf("look up stream %q: %w", s.config.Name, asNoStream(err))
	}
	info := stream.CachedInfo() // fetched by the call above

	return extent{info.Created, info.State.FirstSeq, info.State.LastSeq}, nil
}
