package faults_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recovery is how long after the end of a fault the microblog works again.
type recovery struct {
	accepted time.Duration // a post is accepted
	shown    time.Duration // the open page shows it
	caughtUp time.Duration // all that was accepted before the end of the fault is in the feeds
}

// worst returns the longest of both.
func (r recovery) worst(other recovery) recovery {
	return recovery{max(r.accepted, other.accepted), max(r.shown, other.shown), max(r.caughtUp, other.caughtUp)}
}

// line returns the recovery as a line of the table.
func (r recovery) line(fault string) string {
	const unit = 10 * time.Millisecond
	return fmt.Sprintf("%-28s accepting %7s  on the page %7s  all applied %7s",
		fault, r.accepted.Round(unit), r.shown.Round(unit), r.caughtUp.Round(unit))
}

// recoveries are those of all faults, of each the worst, in the order of the first.
type recoveries struct {
	names []string
	worst map[string]recovery
	times map[string]int
}

func (r *recoveries) add(fault string, found recovery) {
	if r.worst == nil {
		r.worst, r.times = map[string]recovery{}, map[string]int{}
	}
	if r.times[fault] == 0 {
		r.names = append(r.names, fault)
	}
	r.worst[fault] = found.worst(r.worst[fault])
	r.times[fault]++
}

// table has a line for each fault.
func (r *recoveries) table() string {
	var b strings.Builder
	for _, name := range r.names {
		b.WriteString("  " + r.worst[name].line(name))
		if n := r.times[name]; n > 1 {
			fmt.Fprintf(&b, "  (the longest of %d)", n)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// ages are the gauges of how long the oldest message has waited in the outbox and, with NATS, at the broker.
var ages = regexp.MustCompile(`(?m)^cqrsfeed_(outbox|projector_backlog)_age_seconds\{.*\} (.*)$`)

// catchUp returns how long after the end of a fault everything that was accepted before is applied: what waits is newer.
func (s *stage) catchUp(t *testing.T, ended time.Time) (after time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, shown, err := request(t.Context(), s.client, http.MethodGet, s.url+"/metrics", nil)
		found := ages.FindAllStringSubmatch(string(shown), -1)
		if err != nil || status != http.StatusOK || len(found) < s.queues {
			return false
		}
		after = time.Since(ended)
		for _, gauge := range found {
			age, err := strconv.ParseFloat(gauge[2], 64)
			if err != nil || age >= after.Seconds() {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond, "what was accepted before the end of the fault still waits")
	return after
}
