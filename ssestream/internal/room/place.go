package room

import (
	"context"
	"slices"
	"time"
)

// place is where a load is. It is safe for concurrent use.
//
//	nowhere → waiting → inSlots → besideSlots → nowhere
//
// It may become nowhere from each of them.
type place struct {
	slots   *Slots
	refresh bool // this and the following under slots.mu
	at      position
	rank    rank          // of what it takes
	turn    chan struct{} // closed when it has slots
	began   time.Time     // when the load has started
	cancel  func()        // ends the load, nil before it has started
	timer   *time.Timer   // calls takesLong
}

type position int

const (
	nowhere position = iota
	waiting
	inSlots // or in a place of slow keys
	besideSlots
)

// take waits for the slots of a load of the rank. It reports false where ctx ended before. The caller releases the place in
// either case.
func (p *place) take(ctx context.Context, r rank) bool {
	s, turn := p.slots, make(chan struct{})
	s.mu.Lock()
	if p.refresh {
		r = max(r, fresh)
	}
	p.rank, p.turn, p.at = r, turn, waiting
	s.waiting[r] = append(s.waiting[r], p)
	s.serveLocked()
	s.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		return false
	}
}

// start notes that the load starts now. From its usual time on it leaves its slots to who waits for them, and once it is
// late it may be cancelled.
func (p *place) start(cancel func()) {
	s := p.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.at == inSlots {
		usual, _ := s.times()
		p.began, p.cancel, p.timer = time.Now(), cancel, time.AfterFunc(usual, p.takesLong)
		s.running = append(s.running, p)
	}
}

// takesLong has others begin for which the load has to make room from now on.
func (p *place) takesLong() {
	s := p.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.at == nowhere {
		return
	}
	usual, late := s.times()
	age := time.Since(p.began)
	if age < usual {
		p.timer.Reset(usual - age) // Others have become slower since.
		return
	}
	if age < late {
		p.timer.Reset(late - age)
	}
	p.endRefreshLocked()
	s.serveLocked()
}

// interruptLocked cancels the load and gives back what it takes.
func (p *place) interruptLocked() {
	p.cancel()
	p.leaveLocked()
}

// release gives back what is taken, or waits no longer. It may be called again.
func (p *place) release() {
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	p.leaveLocked()
	p.slots.serveLocked()
}

func (p *place) leaveLocked() {
	s := p.slots
	p.endRefreshLocked()
	self := func(other *place) bool { return other == p }
	switch p.at {
	case waiting:
		s.waiting[p.rank] = slices.DeleteFunc(s.waiting[p.rank], self)
	case inSlots:
		s.addLocked(p.rank, 1)
	case besideSlots:
		s.beside++
	case nowhere:
		return
	}
	p.at = nowhere
	if p.cancel != nil {
		s.running = slices.DeleteFunc(s.running, self)
		p.timer.Stop()
	}
}

func (p *place) endRefreshLocked() {
	if p.refresh {
		p.refresh = false
		<-p.slots.refreshes
	}
}
