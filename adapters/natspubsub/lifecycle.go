package natspubsub

import (
	"context"
	"sync"
)

// lifecycle lets a subscriber end its subscriptions. The zero value is ready.
type lifecycle struct {
	mu      sync.Mutex
	closed  bool
	cancels map[*context.CancelFunc]struct{}
	running sync.WaitGroup
}

// check answers ErrClosed after close.
func (l *lifecycle) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}

	return nil
}

// start starts a subscription's goroutine with a context that also ends by close, or answers ErrClosed.
func (l *lifecycle) start(ctx context.Context, subscription func(ctx context.Context)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	if l.cancels == nil {
		l.cancels = map[*context.CancelFunc]struct{}{}
	}
	l.cancels[&cancel] = struct{}{}
	l.running.Go(func() {
		subscription(ctx)
		cancel()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.cancels, &cancel)
	})

	return nil
}

// close ends all subscriptions and waits for them.
func (l *lifecycle) close() {
	l.mu.Lock()
	l.closed = true
	for cancel := range l.cancels {
		(*cancel)()
	}
	l.mu.Unlock()
	l.running.Wait()
}
