package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/internal/config"
)

// subjectsOverlap is the server's error code for a subject that belongs to another stream.
const subjectsOverlap jetstream.ErrorCode = 10065

// The limits of a new stream that are not configured.
const (
	defaultMaxMessages     = 100_000
	defaultDuplicateWindow = 2 * time.Minute
)

// Ensure creates the stream, or updates the existing one. It adds the stream's subjects, sets the configured limits,
// and configures the stream to refuse new messages at its limits and to keep old ones of any age. If a topic already
// holds more than MaxMessages, the limit is set to that number. All other settings are kept, including further
// subjects, so that several programs of this package can share a stream. Ensure can be called at every start, by many
// processes at once.
//
// It returns [ErrStreamConflict] in these cases:
//
//   - The existing stream has another storage.
//   - It is not a plain stream: limits retention, no mirror, not sealed, acknowledging.
//   - It has further subjects and discards their old messages by its limits. After Ensure nothing would remove these.
//   - Another stream has one of the subjects.
func (s *Stream) Ensure(ctx context.Context) error {
	err := s.ensure(ctx)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		err = s.ensure(ctx) // another process created it meanwhile
	}
	if err != nil {
		return fmt.Errorf("ensure stream %q: %w", s.config.Name, err)
	}
	return nil
}

func (s *Stream) ensure(ctx context.Context) error {
	found, err := s.js.Stream(ctx, s.config.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return s.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("look it up: %w", err)
	}
	existing := found.CachedInfo().Config
	if err := s.config.conflict(existing); err != nil {
		return err
	}
	wanted := s.config.applied(existing)
	if wanted.MaxMsgsPerSubject < existing.MaxMsgsPerSubject || existing.MaxMsgsPerSubject <= 0 {
		most, err := s.largest(ctx)
		if err != nil {
			return err
		}
		wanted.MaxMsgsPerSubject = max(wanted.MaxMsgsPerSubject, most) // a lower limit would discard
	}
	if reflect.DeepEqual(existing, wanted) {
		return nil
	}
	if _, err := s.js.UpdateStream(ctx, wanted); err != nil {
		return asConflict("update it", err)
	}
	s.logger.Info("Updated stream", watermill.LogFields{"subjects": wanted.Subjects})
	return nil
}

// largest returns the number of messages of the largest subject.
func (s *Stream) largest(ctx context.Context) (most int64, err error) {
	stream, err := s.lookUp(ctx)
	if err != nil {
		return 0, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return 0, fmt.Errorf("count its messages: %w", err)
	}
	for _, messages := range info.State.Subjects {
		most = max(most, int64(messages)) //nolint:gosec // streams hold no more than that
	}
	return most, nil
}

func (s *Stream) create(ctx context.Context) error {
	settings := s.config.created()
	if _, err := s.js.CreateStream(ctx, settings); err != nil {
		return asConflict("create it", err)
	}
	s.logger.Info("Created stream", watermill.LogFields{"subjects": settings.Subjects})
	return nil
}

func asConflict(doing string, err error) error {
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == subjectsOverlap {
		return fmt.Errorf("%s: %w: another stream has its subjects: %w", doing, ErrStreamConflict, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// created returns the settings of a new stream.
func (c StreamConfig) created() jetstream.StreamConfig {
	return c.applied(jetstream.StreamConfig{
		Name:       c.Name,
		Storage:    c.Storage,
		Replicas:   1,
		MaxBytes:   -1, // the server's unlimited
		Duplicates: defaultDuplicateWindow,
	})
}

// applied returns the settings changed to what c configures.
func (c StreamConfig) applied(settings jetstream.StreamConfig) jetstream.StreamConfig {
	if all := c.SubjectPrefix + ".>"; !slices.Contains(settings.Subjects, all) {
		settings.Subjects = append(c.further(settings.Subjects), all) // the subjects of a stream must not overlap
	}
	if c.Replicas != 0 {
		settings.Replicas = c.Replicas
	}
	settings.Discard, settings.DiscardNewPerSubject = jetstream.DiscardNew, true
	settings.MaxAge = 0 // the server's unlimited
	if settings.MaxMsgsPerSubject <= 0 {
		settings.MaxMsgsPerSubject = defaultMaxMessages
	}
	if c.MaxMessages != 0 {
		settings.MaxMsgsPerSubject = c.MaxMessages
	}
	if c.MaxBytes != 0 {
		settings.MaxBytes = c.MaxBytes
	}
	if c.DuplicateWindow != 0 {
		settings.Duplicates = c.DuplicateWindow
	}
	return settings
}

// further returns the subjects that do not begin with the prefix.
func (c StreamConfig) further(subjects []string) []string {
	return slices.DeleteFunc(slices.Clone(subjects), func(subject string) bool { return strings.HasPrefix(subject, c.SubjectPrefix+".") })
}

// conflict returns the properties of an existing stream that prevent its use, joined.
func (c StreamConfig) conflict(existing jetstream.StreamConfig) error {
	var p config.Problems
	p.Check(existing.Storage == c.Storage, "%w: it is stored in %s, not in %s", ErrStreamConflict, existing.Storage, c.Storage)
	p.Check(existing.Retention == jetstream.LimitsPolicy,
		"%w: its retention is %s, so subscribers would take messages from each other", ErrStreamConflict, existing.Retention)
	p.Check(existing.Mirror == nil, "%w: it is a mirror and accepts no messages", ErrStreamConflict)
	p.Check(!existing.Sealed, "%w: it is sealed and accepts no messages", ErrStreamConflict)
	p.Check(!existing.NoAck, "%w: it acknowledges no messages", ErrStreamConflict)
	further := c.further(existing.Subjects)
	refuses := existing.Discard == jetstream.DiscardNew && existing.DiscardNewPerSubject && existing.MaxAge == 0
	p.Check(len(further) == 0 || refuses,
		"%w: it also has the subjects %q, whose messages would no longer be discarded: use a stream of their own for the topics", ErrStreamConflict, further)
	return p.Join()
}
