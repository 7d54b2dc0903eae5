package projector

import (
	"context"
	"errors"
	"sync"
)

// ErrPaused is returned by Publish while the projector is paused.
var ErrPaused = errors.New("the projection is paused on this instance")

// Pause stops applying and sweeping in this process, until Resume or a restart. The projector finishes its batches. With a
// Subscriber it unsubscribes: messages wait at the broker, or go to the projectors of other instances. Without one Publish
// returns ErrPaused: messages wait in the outbox, and so do other projections of their topics. Pause may be called at any
// time.
func (p *Projector) Pause() { p.pause.set(p, true) }

// Resume ends a pause.
func (p *Projector) Resume() { p.pause.set(p, false) }

// pause keeps whether a projector is paused, and signals changes.
type pause struct {
	mu      sync.Mutex
	paused  bool
	changed chan struct{} // closed by the next change
}

func (s *pause) set(p *Projector, paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused == paused {
		return
	}
	s.paused = paused
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	if paused {
		p.logger.Info("Projector is paused", nil)
	} else {
		p.logger.Info("Projector is resumed", nil)
	}
}

// now returns whether the projector is paused, and a channel that is closed when that changes.
func (s *pause) now() (paused bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.paused, s.changed
}

// resumed waits until the projector is not paused. It reports false when ctx has ended.
func (p *Projector) resumed(ctx context.Context) bool {
	for ctx.Err() == nil {
		paused, changed := p.pause.now()
		if !paused {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return false
}
