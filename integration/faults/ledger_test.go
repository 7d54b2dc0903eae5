package faults_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// state is a post after a change.
type state struct {
	version int64 // 0 if there is no post
	content string
	deleted bool
}

func (s state) is(item cqrsfeed.Item[post.Post]) bool {
	return s.version == item.Version && s.deleted == item.Deleted && (s.deleted || s.content == item.Body.Content)
}

// record is what the test knows of a post. It belongs to the writer that made the post.
type record struct {
	title string // unique
	id    string // empty if the response did not arrive
	known state  // after the last accepted change
	maybe *state // after a change whose outcome is unknown; no change follows it
}

// differs describes how the post differs from its record, or returns "".
func (r *record) differs(item cqrsfeed.Item[post.Post], found bool) string {
	switch {
	case !found && r.known.version == 0, found && r.known.is(item), found && r.maybe != nil && r.maybe.is(item):
		return ""
	case !found:
		return fmt.Sprintf("%s was accepted as %+v and is not there", r.title, r.known)
	}
	return fmt.Sprintf("%s is %d %q, deleted %t, and was accepted as %+v, or perhaps %+v",
		r.title, item.Version, item.Body.Content, item.Deleted, r.known, r.maybe)
}

// ledger counts the responses that the writers get.
type ledger struct {
	accepted, unknown, asked atomic.Int64
	slowest                  atomic.Int64
	leftOut                  atomic.Int64 // changes not made because all writers were busy

	mu       sync.Mutex
	records  []*record
	refusals []string // responses that no fault explains
}

func (l *ledger) add(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

func (l *ledger) refused(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals = append(l.refusals, fmt.Sprintf(format, args...))
}

func (l *ledger) took(d time.Duration) {
	for {
		slowest := l.slowest.Load()
		if int64(d) <= slowest || l.slowest.CompareAndSwap(slowest, int64(d)) {
			return
		}
	}
}

// measure counts accepted changes until done is called.
func (l *ledger) measure() (done func() pace) {
	began, before := time.Now(), l.accepted.Load()
	return func() pace { return pace{changes: l.accepted.Load() - before, took: time.Since(began)} }
}

// pace is how many changes were accepted in which time.
type pace struct {
	changes int64
	took    time.Duration
}

func (p *pace) add(other pace) {
	p.changes += other.changes
	p.took += other.took
}

func (p pace) String() string {
	return fmt.Sprintf("%d (%.0f/s)", p.changes, float64(p.changes)/p.took.Seconds())
}

// complaints returns the first of the responses that no fault explains.
func (l *ledger) complaints() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.refusals[:min(len(l.refusals), 10)], "\n")
}

func (l *ledger) all() []*record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.records)
}
