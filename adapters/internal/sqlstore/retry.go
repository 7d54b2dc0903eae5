package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	maxTries  = 10
	leastWait = 5 * time.Millisecond
	mostWait  = 500 * time.Millisecond
)

// Retry calls try again while it fails with an error that may pass, after a growing, jittered wait. It ends
// with ctx and after a fixed number of tries.
func (d *Database) Retry(ctx context.Context, try func() error) error {
	wait := leastWait
	for tries := 1; ; tries++ {
		err := try()
		switch {
		case err == nil || !d.mayPass(err):
			return err
		case tries == maxTries:
			return fmt.Errorf("gave up after %d tries: %w", tries, err)
		case !pause(ctx, wait/2+rand.N(wait/2+1)): //nolint:gosec // spreading load needs no secret
			return fmt.Errorf("%w while retrying: %w", ctx.Err(), err)
		}
		wait = min(2*wait, mostWait)
	}
}

func (d *Database) mayPass(err error) bool {
	if _, stopped := errors.AsType[*stopError](err); stopped {
		return false
	}
	verdict := d.dialect.Classify(err)
	return verdict == Again || verdict == Lost
}

func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Stop marks an error, such as that of a caller's function, as one that must not be retried whatever it
// wraps. Its text and its tree stay the same.
func Stop(err error) error {
	if err == nil {
		return nil
	}
	return &stopError{err}
}

type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }
