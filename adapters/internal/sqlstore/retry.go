package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/internal/backoff"
)

const (
	maxTries = 10
	minWait  = 5 * time.Millisecond
	maxWait  = 500 * time.Millisecond
)

// Retry calls try again, after a growing wait, while it fails with an error that may pass. It gives up when ctx ends, and
// after maxTries.
func (d *Database) Retry(ctx context.Context, try func() error) error {
	wait := backoff.Backoff{Min: minWait, Max: maxWait}
	for tries := 1; ; tries++ {
		err := try()
		switch {
		case err == nil || !d.mayPass(err):
			return err
		case tries == maxTries:
			return fmt.Errorf("gave up after %d tries: %w", tries, err)
		case !wait.Wait(ctx):
			return fmt.Errorf("%w before another try: %w", ctx.Err(), err)
		}
	}
}

// mayPass reports whether what failed with err may succeed when it is tried again.
func (d *Database) mayPass(err error) bool {
	if _, stopped := errors.AsType[*stopError](err); stopped {
		return false
	}
	verdict := d.dialect.Classify(err)
	return verdict == Again || verdict == Lost
}

// Stop marks an error as one that must not be retried whatever it wraps, such as the error of a caller's function. Its text
// and its tree stay the same.
func Stop(err error) error {
	if err == nil {
		return nil
	}
	return &stopError{err}
}

type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }
