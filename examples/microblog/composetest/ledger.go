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

// record is the expected state of a post.
type record struct {
	post

	deleted bool
	// unsure is set if a change may or may not have happened.
	unsure bool
	// busy is set while the post is being changed.
	busy bool
}

// ledger records what the microblog accepted, and how it answered.
type ledger struct {
	mu       sync.Mutex
	records  []*record
	accepted int
	failures map[string]int // number of failures by kind, in the current interval
	answers  int            // in the current interval
	slowest  time.Duration  // in the current interval
}

func newLedger() *ledger {
	return &ledger{failures: map[string]int{}}
}

// answered counts an answer. failure is its kind, or "" for a success.
func (l *ledger) answered(failure string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	l.slowest = max(l.slowest, took)
	if failure != "" {
		l.failures[failure]++
	}
}

// takeInterval describes how requests were answered since the last call. It returns an error if a failure is not due to an
// outage: a timeout, an answer other than 5xx, or, while the microblog itself runs, a lost connection.
func (l *ledger) takeInterval(serverRuns bool) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := 0
	var kinds []string
	var problems []error
	for _, kind := range slices.Sorted(maps.Keys(l.failures)) {
		failed += l.failures[kind]
		kinds = append(kinds, fmt.Sprintf("%s: %d", kind, l.failures[kind]))
		if !expected(kind, serverRuns) {
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

func expected(kind string, serverRuns bool) bool {
	_, kind, _ = strings.Cut(kind, " ")
	return strings.HasPrefix(kind, "5") || !serverRuns && strings.HasPrefix(kind, "connection")
}

func (l *ledger) created(p post) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	l.records = append(l.records, &record{post: p})
}

// claim returns a random post that nothing else is changing, or nil. It leaves out the posts by which recovery is watched.
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

// changed records that the change of a claimed post was accepted.
func (l *ledger) changed(r *record, change func(r *record)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	change(r)
	r.busy = false
}

// uncertain records that the outcome of the change of a claimed post is unknown.
func (l *ledger) uncertain(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.unsure, r.busy = true, false
}

// all returns a copy of the records.
func (l *ledger) all() []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := make([]record, len(l.records))
	for i, r := range l.records {
		records[i] = *r
	}
	return records
}

// kindOf returns the kind of a failure.
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
