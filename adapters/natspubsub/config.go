package natspubsub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Unlimited switches off a limit of a [StreamConfig] or a [DurableConfig], where the field's comment says so.
const Unlimited = -1

// What a new stream has where its configuration says nothing.
const (
	defaultMaxAge          = 7 * 24 * time.Hour
	defaultMaxBytes        = 1 << 30
	defaultDuplicateWindow = 2 * time.Minute
)

// StreamConfig says which JetStream stream holds the messages and how [Stream.Ensure] makes it. The limits
// that are left zero are chosen when the stream is made, and left alone on a stream that exists, so that an
// operator's choice is kept.
type StreamConfig struct {
	// Name is the stream's. It may hold letters, digits, '-' and '_'. Required.
	Name string

	// Topics are what the stream takes. Publishing to another topic, or subscribing to one, is an error:
	// [ErrUnknownTopic]. Processes of a release that has more topics may run beside those of the one before, which
	// leave the messages of a new topic in the outbox for them. Defaults to every topic.
	Topics []string

	// SubjectPrefix is what the subjects of the topics begin with: topic "post-created" has the subject
	// SubjectPrefix + ".post-created". Streams of one NATS account must not overlap in it. Defaults to Name.
	SubjectPrefix string

	// Storage is where messages are kept; it cannot be changed later. On a single server a stream in memory
	// does not survive a restart of the server. Defaults to jetstream.FileStorage.
	Storage jetstream.StorageType

	// Replicas is on how many servers of a cluster a message is kept, 1 to 5. Defaults to 1.
	Replicas int

	// MaxAge is how long messages are kept, read or not: a durable subscriber that is absent for longer has
	// lost what became older. By then the relay has deleted them from the outbox, so that nothing brings them
	// again: choose both limits for the longest absence that may happen, at the highest rate of events. A
	// durable subscription that comes back logs an error when it may have lost messages; readmodel.Rebuild then
	// makes a read model anew from the write model. [Unlimited] keeps them for ever. Defaults to 7 days.
	MaxAge time.Duration

	// MaxBytes is how much is kept; beyond it the oldest messages go, read or not, with the consequences that
	// MaxAge has. It is for all topics together: many large messages of one push out those of another.
	// [Unlimited] keeps all, until the disk or the account's limit refuses new ones, which then wait in the
	// outbox. Defaults to 1 GiB.
	MaxBytes int64

	// DuplicateWindow is for how long the broker remembers UUIDs and drops a message that comes again. It
	// should be longer than a publisher may take to come back after a crash, and not longer than MaxAge.
	// Defaults to 2 minutes, or MaxAge if that is less.
	DuplicateWindow time.Duration
}

func (c *StreamConfig) setDefaults() {
	if c.SubjectPrefix == "" {
		c.SubjectPrefix = c.Name
	}
}

// Validate joins what is wrong with the configuration.
func (c StreamConfig) Validate() error {
	c.setDefaults()
	var problems []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	if err := checkName("Name", c.Name); err != nil {
		problems = append(problems, err)
	}
	for token := range strings.SplitSeq(c.SubjectPrefix, ".") {
		problem(c.Name != "" && checkName("SubjectPrefix", token) != nil,
			"SubjectPrefix is %q, it may hold only letters, digits, '-', '_' and single dots between them", c.SubjectPrefix)
	}
	for i, topic := range c.Topics {
		if _, err := subjectOf(c.SubjectPrefix, topic); err != nil {
			problems = append(problems, fmt.Errorf("in Topics[%d]: %w", i, err))
		}
		problem(slices.Contains(c.Topics[:i], topic), "Topics[%d] %q is there twice", i, topic)
	}
	problem(c.Storage != jetstream.FileStorage && c.Storage != jetstream.MemoryStorage, "Storage is %d, it must be file or memory", c.Storage)
	problem(c.Replicas < 0 || c.Replicas > 5, "Replicas is %d, it must be 1 to 5", c.Replicas)
	problem(c.MaxAge < 0 && c.MaxAge != Unlimited, "MaxAge is %s, it must be positive or Unlimited", c.MaxAge)
	problem(c.MaxBytes < 0 && c.MaxBytes != Unlimited, "MaxBytes is %d, it must be positive or Unlimited", c.MaxBytes)
	problem(c.DuplicateWindow < 0, "DuplicateWindow is %s, it must be positive", c.DuplicateWindow)
	problem(c.MaxAge > 0 && c.DuplicateWindow > c.MaxAge, "DuplicateWindow %s is longer than MaxAge %s", c.DuplicateWindow, c.MaxAge)

	return errors.Join(problems...)
}

// subjects answers what the stream takes.
func (c StreamConfig) subjects() []string {
	if len(c.Topics) == 0 {
		return []string{c.SubjectPrefix + ".>"}
	}
	subjects := make([]string, len(c.Topics))
	for i, topic := range c.Topics {
		subjects[i] = c.SubjectPrefix + "." + escapeTopic(topic)
	}

	return subjects
}
