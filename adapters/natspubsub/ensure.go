package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go/jetstream"
)

// subjectsOverlap is the server's code for a stream whose subjects another one has.
const subjectsOverlap jetstream.ErrorCode = 10065

// Ensure makes the stream, or brings the one that exists to the configuration: missing subjects are added and
// configured limits are set. Subjects that only the existing stream has are kept, so that several programs
// can share a stream, and so is everything that a [StreamConfig] says nothing about. It may be called at
// every start, by many processes at once.
//
// The error is [ErrStreamConflict] where the existing stream has another storage or is not a plain stream
// (limits retention, no mirror, not sealed, acknowledging), or where another stream has the subjects.
func (s *Stream) Ensure(ctx context.Context) error {
	err := s.ensure(ctx)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		err = s.ensure(ctx) // another process made it in between
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
	if reflect.DeepEqual(existing, wanted) {
		return nil
	}
	if _, err := s.js.UpdateStream(ctx, wanted); err != nil {
		return asConflict("update it", err)
	}
	s.logger.Info("Updated stream", watermill.LogFields{"subjects": wanted.Subjects})

	return nil
}

func (s *Stream) create(ctx context.Context) error {
	config := s.config.created()
	if _, err := s.js.CreateStream(ctx, config); err != nil {
		return asConflict("create it", err)
	}
	s.logger.Info("Created stream", watermill.LogFields{"subjects": config.Subjects})

	return nil
}

func asConflict(doing string, err error) error {
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == subjectsOverlap {
		return fmt.Errorf("%s: %w: another stream has its subjects: %w", doing, ErrStreamConflict, err)
	}

	return fmt.Errorf("%s: %w", doing, err)
}

// created answers the settings of a new stream.
func (c StreamConfig) created() jetstream.StreamConfig {
	config := c.applied(jetstream.StreamConfig{
		Name:     c.Name,
		Storage:  c.Storage,
		Replicas: 1,
		MaxAge:   defaultMaxAge,
		MaxBytes: defaultMaxBytes,
	})
	if config.Duplicates == 0 {
		config.Duplicates = defaultDuplicateWindow
		if config.MaxAge > 0 {
			config.Duplicates = min(config.Duplicates, config.MaxAge)
		}
	}

	return config
}

// applied answers settings with what c says about them.
func (c StreamConfig) applied(settings jetstream.StreamConfig) jetstream.StreamConfig {
	settings.Subjects = mergeSubjects(settings.Subjects, c.subjects())
	if c.Replicas != 0 {
		settings.Replicas = c.Replicas
	}
	if c.MaxAge != 0 {
		settings.MaxAge = max(c.MaxAge, 0) // the server's zero is unlimited
	}
	if c.MaxBytes != 0 {
		settings.MaxBytes = c.MaxBytes
	}
	if c.DuplicateWindow != 0 {
		settings.Duplicates = c.DuplicateWindow
	}

	return settings
}

// conflict joins what cannot be changed in an existing stream.
func (c StreamConfig) conflict(existing jetstream.StreamConfig) error {
	var problems []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf("%w: "+format, append([]any{ErrStreamConflict}, args...)...))
		}
	}
	problem(existing.Storage != c.Storage, "it is stored in %s, not in %s", existing.Storage, c.Storage)
	problem(existing.Retention != jetstream.LimitsPolicy,
		"its retention is %s, so subscribers would take messages from each other", existing.Retention)
	problem(existing.Mirror != nil, "it is a mirror and takes no messages")
	problem(existing.Sealed, "it is sealed and takes no messages")
	problem(existing.NoAck, "it acknowledges no messages")

	return errors.Join(problems...)
}
