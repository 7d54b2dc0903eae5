package main

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// record is what is known of a post.
type record struct {
	post

	deleted bool
	// unsure: a change of it was neither accepted nor clearly refused, so the write model says what holds.
	unsure bool
	// busy: it is being changed.
	busy bool
}

// ledger keeps what the microblog accepted, and how it answered.
type ledger struct {
	mu       sync.Mutex
	records  []*record
	accepted int
	failures map[string]int // in the interval at hand: what kind, how often
	answers  int            // in the interval at hand
	slowest  time.Duration  // in the interval at hand
}

func newLedger() *ledger {
	return &ledger{failures: map[string]int{}}
}

// answered counts an answer: what is "" for the one that was hoped for.
func (l *ledger) answered(what string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	l.slowest = max(l.slowest, took)
	if what != "" {
		l.failures[what]++
	}
}

// interval says how requests were answered since it was last asked, and fails when one was answered as no outage
// excuses: not in time, with something else than a 5xx, or, while the microblog itself runs, not at all.
func (l *ledger) interval(serverRuns bool) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := 0
	var kinds []string
	var problems []error
	for _, kind := range slices.Sorted(maps.Keys(l.failures)) {
		failed += l.failures[kind]
		kinds = append(kinds, fmt.Sprintf("%s: %d", kind, l.failures[kind]))
		if !excused(kind, serverRuns) {
			problems = append(problems, fmt.Errorf("%d requests failed with %q", l.failures[kind], kind))
		}
	}
	text := fmt.Sprintf("%d of %d requests failed", failed, l.answers)
	if failed > 0 {
		text += " (" + strings.Join(kinds, ", ") + ")"
	}
	text += ", slowest answer " + l.slowest.Round(10*time.Millisecond).String()
	clear(l.failures)
	l.answers, l.slowest = 0, 0
	return text, errors.Join(problems...)
}

func excused(kind string, serverRuns bool) bool {
	_, kind, _ = strings.Cut(kind, " ")
	return strings.HasPrefix(kind, "5") || !serverRuns && strings.HasPrefix(kind, "connection")
}

func (l *ledger) created(p post) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	l.records = append(l.records, &record{post: p})
}

// claim picks a post to change that nobody else is changing, and by which nobody watches recovery.
func (l *ledger) claim() *record {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 10 {
		if len(l.records) == 0 {
			return nil
		}
		r := l.records[rand.IntN(len(l.records))] //nolint:gosec // picking a test's post needs no secrecy
		if !r.busy && !r.unsure && !r.deleted && !slices.Contains(r.Tags, probeTag) {
			r.busy = true
			return r
		}
	}
	return nil
}

// changed notes that the change of a claimed post was accepted.
func (l *ledger) changed(r *record, change func(r *record)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	change(r)
	r.busy = false
}

// lost notes that nobody knows what became of the change of a claimed post.
func (l *ledger) lost(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.unsure, r.busy = true, false
}

// all is a copy of the records.
func (l *ledger) all() []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := make([]record, len(l.records))
	for i, r := range l.records {
		records[i] = *r
	}
	return records
}

// kindOf names a failure for people.
func kindOf(status int, err error) string {
	switch {
	case err == nil:
		return strconv.Itoa(status)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case isTimeout(err):
		return "no answer in " + requestTimeout.String()
	default:
		return "connection lost"
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout()
}
