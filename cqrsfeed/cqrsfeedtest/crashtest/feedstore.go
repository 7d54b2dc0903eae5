package crashtest

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
)

// FeedStoreProcesses says how the processes of a crash test open one and the same feed store.
type FeedStoreProcesses struct {
	// Open opens the store as this process has it: on connections of its own, each command of which is a
	// step of the process. The function that it returns ends the connections at once, also when the process
	// was stopped; a stopped process must leave no transaction open. It is called from any goroutine.
	Open func(process *Process) (store cqrsfeed.FeedStore[feedmodel.Body], closeStore func(), err error)
	// HoldsLocks says that the commands of the store are parts of transactions that others wait for. Its
	// processes are then stopped at every command, but stand still only between calls.
	HoldsLocks bool
}

// TestFeedStore applies random histories by several processes of which most are stopped or stand still
// at some step, while everything that was not acknowledged is delivered again, in any order and more than
// once. In the end every feed, entry, count and version has to be that of the history, and every change of
// a feed has to have been announced after it was made. fresh is called for each round and gives an empty store.
//
// One process runs at a time, up to a step that is chosen by the round's seed. A failure tells the seed and
// what the processes did; with FEEDMILL_CRASH_SEED set to it the same round is played again. Commands that a
// store sends beside each other may come in another order then, so play it a few times.
// FEEDMILL_CRASHES says how many crashes there have to be, 100 by default.
func TestFeedStore(t *testing.T, fresh func(t *testing.T) FeedStoreProcesses) {
	t.Helper()
	crashRounds(t, func(t *testing.T, seed uint64) int {
		t.Helper()
		r := &feedRound{
			t: t, dice: rand.New(rand.NewPCG(seed, 2)), stores: fresh(t),
			told: make(map[string][]string), deliveries: make(map[*feedMessage]int),
		}
		defer r.end()
		r.play()
		return r.crashes
	})
}

const (
	crashWorkers = 4  // processes that are on their way at once
	crashBatch   = 4  // messages in a delivery, at most
	crashSteps   = 14 // a process is stopped at one of these, or not
)

// feedRound is a world: what was written, what is not acknowledged, and who is on the way.
type feedRound struct {
	t      *testing.T
	dice   *rand.Rand
	stores FeedStoreProcesses

	queue      []*feedMessage       // to be delivered
	deliveries map[*feedMessage]int // how often it is in the queue
	workers    []*feedWorker        // that stand still
	observer   cqrsfeed.FeedStore[feedmodel.Body]
	told       map[string][]string // what a follower of a feed reads after its last announcement
	started    int
	crashes    int
	patient    bool // nothing is delivered again while somebody still has it
	deaf       bool // somebody was stopped who may have had something to announce for which nobody comes again
	trace      []string
}

// feedMessage is a state of an item on its way to the feeds.
type feedMessage struct {
	change feedmodel.Change
	acked  bool
}

func (m *feedMessage) String() string {
	return fmt.Sprintf("%s v%d %v", m.change.Item.ID, m.change.Item.Version, m.change.Feeds)
}

func (r *feedRound) play() {
	watch := newProcess(r.t.Context())
	defer watch.cancel()
	observer, closeObserver, err := r.stores.Open(watch)
	require.NoError(r.t, err)
	defer closeObserver()
	r.observer = observer

	r.patient = r.dice.IntN(2) == 0
	history := (&feedmodel.Dice{Rand: r.dice}).Histories(4, 5, 4)
	// One version of each item after the other, so that a batch seldom has several of one.
	slices.SortStableFunc(history, func(a, b feedmodel.Change) int { return cmp.Compare(a.Item.Version, b.Item.Version) })
	for _, c := range history {
		m := &feedMessage{change: c}
		r.deliver(m)
		if !r.patient && r.dice.IntN(4) == 0 {
			r.deliver(m)
		}
	}
	for len(r.queue)+len(r.workers) > 0 {
		r.advance(r.pick())
	}
	r.settle()
	r.compare(history)
}

// deliver puts a message into the queue, at any place of it but mostly near its end.
func (r *feedRound) deliver(m *feedMessage) {
	at := len(r.queue)
	if r.dice.IntN(3) == 0 {
		at = r.dice.IntN(len(r.queue) + 1)
	}
	r.queue = slices.Insert(r.queue, at, m)
	r.deliveries[m]++
}

// take takes messages for a delivery from the front of the queue.
func (r *feedRound) take() []*feedMessage {
	var batch []*feedMessage
	most := 1 + r.dice.IntN(crashBatch)
	for len(r.queue) > 0 && len(batch) < most {
		m := r.queue[0]
		r.queue = r.queue[1:]
		r.deliveries[m]--
		if !slices.Contains(batch, m) {
			batch = append(batch, m)
		}
	}
	return batch
}

// again delivers once more what was not acknowledged, unless it waits to be anyway.
func (r *feedRound) again(batch []*feedMessage) {
	for _, m := range batch {
		if !m.acked && r.deliveries[m] == 0 {
			r.deliver(m)
		}
	}
}

func (r *feedRound) note(format string, args ...any) {
	r.trace = append(r.trace, fmt.Sprintf(format, args...))
}

// announce is what the followers of a feed do when they hear of it: they read it.
func (r *feedRound) announce(ctx context.Context, updated []cqrsfeed.FeedUpdated) error {
	for _, u := range updated {
		page, err := r.observer.Page(ctx, u.Feed, "", cqrsfeed.MaxPageLimit)
		if err != nil {
			return err
		}
		r.told[u.Feed] = feedmodel.Describe(page.Items)
	}
	return nil
}
