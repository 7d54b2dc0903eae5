package mongostore

import (
	"sync"
	"time"
)

const (
	// largeFeed is the size from which a feed is counted by budget; below it a count costs no more than
	// any other read.
	largeFeed = 1000
	// restFactor is how long a large feed is left alone after a count, in multiples of what the count
	// cost: nine times, so that counting takes at most a tenth of the time.
	restFactor = 9
	// mostCredit is how long Apply may count without having saved up for it: some dozens of single updates.
	mostCredit = 250 * time.Millisecond
)

// countBudget remembers what the counts of large feeds cost, so that none of them is counted for more than
// a tenth of the time, and what the counts within Apply cost, so that these do not take more than that of it
// either: an idle system counts at once, and a busy one leaves it to Recount. Small feeds are not remembered, so it
// stays small beside the entries. Each process has its own; that bounds the cost, and the guards of the writes keep
// the counts right.
type countBudget struct {
	mu    sync.Mutex
	large map[string]largeCount

	// credit is how long Apply may count, as of asOf. It grows by a tenth of the time.
	credit time.Duration
	asOf   time.Time
}

type largeCount struct {
	size int64
	next time.Time
}

func newCountBudget() *countBudget {
	return &countBudget{large: make(map[string]largeCount), credit: mostCredit, asOf: time.Now()}
}

// atOnce says whether Apply may count now.
func (b *countBudget) atOnce(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if saved := now.Sub(b.asOf) / (restFactor + 1); saved > 0 {
		b.credit, b.asOf = min(mostCredit, b.credit+saved), now
	}
	return b.credit > 0
}

// allows says whether the feed may be counted now, up to limit entries if that is not 0.
func (b *countBudget) allows(feed string, limit int, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	count, large := b.large[feed]
	return !large || (!now.Before(count.next) && (limit == 0 || count.size <= int64(limit)))
}

// spent records counts that took cost together; those of Apply have a limit. A count over it was broken off there: it
// tells that the feed is large, and its true count is due at once.
func (b *countBudget) spent(counts map[string]int64, limit int, cost time.Duration, now time.Time) {
	var total int64
	for _, n := range counts {
		total += n
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if limit > 0 {
		b.credit -= cost
	}
	for feed, n := range counts {
		switch {
		case limit > 0 && n > int64(limit):
			b.large[feed] = largeCount{size: n, next: now}
		case n > largeFeed:
			share := time.Duration(float64(cost) * float64(n) / float64(total))
			b.large[feed] = largeCount{size: n, next: now.Add(restFactor * share)}
		default:
			delete(b.large, feed)
		}
	}
}
