package readmodel

import (
	"context"
	"time"
)

const (
	// mostSuspects bounds how much waits for its second look; the audit goes on only when there is room.
	mostSuspects = 1000
	// mostLooks is how often something that changes all the time is looked at.
	mostLooks = 5
)

// suspect is something that looked wrong, and how often it did.
type suspect[S any] struct {
	seen  S
	looks int
	due   time.Time
}

// secondLook has suspects looked at again when a moment has passed.
type secondLook[S any] struct {
	moment  time.Duration
	look    func(context.Context, []suspect[S]) error
	waiting []suspect[S] // in the order in which they are due
}

func newSecondLook[S any](moment time.Duration, look func(context.Context, []suspect[S]) error) *secondLook[S] {
	return &secondLook[S]{moment: moment, look: look}
}

// later has what was seen looked at again.
func (l *secondLook[S]) later(seen S, looks int) {
	l.waiting = append(l.waiting, suspect[S]{seen, looks, time.Now().Add(l.moment)})
}

// lookAtDue looks at what has waited long enough, and waits only while too much is waiting.
func (l *secondLook[S]) lookAtDue(ctx context.Context) error {
	return l.run(ctx, mostSuspects)
}

// finish looks at everything.
func (l *secondLook[S]) finish(ctx context.Context) error { return l.run(ctx, 0) }

func (l *secondLook[S]) run(ctx context.Context, leave int) error {
	for len(l.waiting) > 0 {
		if wait := time.Until(l.waiting[0].due); wait > 0 {
			if len(l.waiting) <= leave {
				return nil
			}
			if err := pauseFor(ctx, wait); err != nil {
				return err
			}
		}
		n, now := 0, time.Now()
		for n < len(l.waiting) && n < mostSuspects && !l.waiting[n].due.After(now) {
			n++
		}
		due := l.waiting[:n:n] // what look has looked at again goes behind, never over these
		l.waiting = l.waiting[n:]
		if err := l.look(ctx, due); err != nil {
			return err
		}
	}
	return nil
}

func pauseFor(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
