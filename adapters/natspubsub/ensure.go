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
	defaultMaxAge          = 7 * 24 * time.Hour
	defaultMaxBytes        = 1 << 30
	defaultDuplicateWindow = 2 * time.Minute
)

// Ensure creates the stream, or updates the existing one to the configuration: it adds its subjects and sets the
// configured limits. Everything else is kept, including further subjects, so that several programs can share a stream.
// It may be called at every start, by many processes at once.
//
// The error is [ErrStreamConflict] if the existing stream has another storage or is not a plain stream (limits
// retention, no mirror, not sealed, acknowledging), or if another stream has one of the subjects.
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
	settings := c.applied(jetstream.StreamConfig{
		Name:     c.Name,
		Storage:  c.Storage,
		Replicas: 1,
		MaxAge:   defaultMaxAge,
		MaxBytes: defaultMaxBytes,
	})
	if settings.Duplicates == 0 {
		settings.Duplicates = defaultDuplicateWindow
		if settings.MaxAge > 0 {
			settings.Duplicates = min(settings.Duplicates, settings.MaxAge)
		}
	}

	return settings
}

// applied returns the settings with those that c configures.
func (c StreamConfig) applied(settings jetstream.StreamConfig) jetstream.StreamConfig {
	if all := c.SubjectPrefix + ".>"; !slices.Contains(settings.Subjects, all) {
		others := slices.DeleteFunc(slices.Clone(settings.Subjects), func(subject string) bool {
			return strings.HasPrefix(subject, c.SubjectPrefix+".") // the subjects of a stream must not overlap
		})
		settings.Subjects = append(others, all)
	}
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

// conflict returns the properties of an existing stream that prevent its use, joined.
func (c StreamConfig) conflict(existing jetstream.StreamConfig) error {
	var p config.Problems
	p.Check(existing.Storage == c.Storage, "%w: it is stored in %s, not in %s", ErrStreamConflict, existing.Storage, c.Storage)
	p.Check(existing.Retention == jetstream.LimitsPolicy,
		"%w: its retention is %s, so subscribers would take messages from each other", ErrStreamConflict, existing.Retention)
	p.Check(existing.Mirror == nil, "%w: it is a mirror and takes no messages", ErrStreamConflict)
	p.Check(!existing.Sealed, "%w: it is sealed and takes no messages", ErrStreamConflict)
	p.Check(!existing.NoAck, "%w: it acknowledges no messages", ErrStreamConflict)

	return p.Join()
}
