package sqldb

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

// Retry calls try again, after a growing wait, while it fails with a temporary error. It gives up when ctx ends, and
// after maxTries.
func (d *Database) Retry(ctx context.Context, try func() error) error {
	wait := backoff.Backoff{Min: minWait, Max: maxWait}
	for tries := 1; ; tries++ {
		err := try()
		switch {
		case err == nil || !d.MayPass(err):
			return err
		case tries == maxTries:
			return fmt.Errorf("gave up after %d tries: %w", tries, err)
		case !wait.Wait(ctx):
			return fmt.Errorf("%w before another try: %w", ctx.Err(), err)
		}
	}
}

// MayPass reports whether err is temporary: a new try may succeed.
func (d *Database) MayPass(err error) bool {
	if _, stopped := errors.AsType[*stopError](err); stopped {
		return false
	}
	verdict := d.Dialect.Classify(err)
	return verdict == Again || verdict == Lost || verdict == Demoted
}

// Stop marks an error as final: it is not retried, whatever it wraps. It is for errors of a caller's function. The text
// and the tree of the error stay the same.
func Stop(err error) error {
	if err == nil {
		return nil
	}
	return &stopError{err}
}

type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }
