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
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// FeedStoreProcesses opens one feed store for the processes of a test.
type FeedStoreProcesses struct {
	// Open opens the store on new connections. Each of their commands is a step of the process. closeStore closes the
	// connections at once, also after the process was stopped: a stopped process must leave no transaction open. Open must
	// be safe for concurrent use.
	Open func(process *Process) (store cqrsfeed.FeedStore[cqrsfeedtest.Body], closeStore func(), err error)
	// HoldsLocks means that the store's commands are parts of transactions that others wait for. Processes are then stopped
	// at every command, but paused only between calls.
	HoldsLocks bool
}

// TestFeedStore applies random histories by several processes and stops or pauses most of them at some step. What was not
// acknowledged is delivered again, in any order and more than once. In the end every feed, count and version must be that of
// the history, and every change of a feed must have been announced after it was made. In half of the rounds some processes
// apply another rule, and the round ends with a rebuild by that rule. fresh returns an empty store for each round.
//
// One process runs at a time, up to a step that the seed of the round chooses. A store that sends commands concurrently may
// send them in another order when a round is repeated, so repeat it a few times.
func TestFeedStore(t *testing.T, fresh func(t *testing.T) FeedStoreProcesses) {
	t.Helper()
	crashRounds(t, func(t *testing.T, seed uint64) int {
		t.Helper()
		r := &feedRound{
			t: t, dice: rand.New(rand.NewPCG(seed, 2)), stores: fresh(t),
			followed: make(map[string][]string), deliveries: make(map[*feedMessage]int),
		}
		defer r.end()
		r.play()
		return r.crashes
	})
}

const (
	crashWorkers = 4  // processes at once
	crashBatch   = 4  // messages in a delivery, at most
	crashSteps   = 14 // the last step at which a process is stopped
	feedNames    = 4  // feeds in a history
)

// feedRound is one round, with the messages that are not acknowledged and the processes that have some of them.
type feedRound struct {
	t      *testing.T
	dice   *rand.Rand
	stores FeedStoreProcesses

	queue      []*feedMessage       // to be delivered
	deliveries map[*feedMessage]int // how often it is in the queue
	workers    []*feedWorker        // that are paused
	observer   cqrsfeed.FeedStore[model.Body]
	followed   map[string][]string // what a follower of a feed read after its last announcement
	started    int
	crashes    int
	patient    bool // a message is not delivered again while a process has it
	mixed      bool // some processes have the new rule
	unfollowed bool // a recount was stopped, so that what it counted may not be announced
	trace      []string
}

// feedMessage is a message with a state of an item.
type feedMessage struct {
	change model.Change
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

	r.patient, r.mixed = r.dice.IntN(2) == 0, r.dice.IntN(2) == 0
	history := (&model.Dice{Rand: r.dice}).Histories(4, 5, feedNames)
	// One version of each item after the other, so that a batch seldom has several of one.
	slices.SortStableFunc(history, func(a, b model.Change) int { return cmp.Compare(a.Item.Version, b.Item.Version) })
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
	if r.mixed {
		history = r.rebuild(history)
	}
	r.settle()
	r.compare(history)
}

// deliver puts a message into the queue, mostly at its end.
func (r *feedRound) deliver(m *feedMessage) {
	at := len(r.queue)
	if r.dice.IntN(3) == 0 {
		at = r.dice.IntN(len(r.queue) + 1)
	}
	r.queue = slices.Insert(r.queue, at, m)
	r.deliveries[m]++
}

// take takes the messages of a delivery from the front of the queue.
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

// again delivers what was not acknowledged and is not in the queue.
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

// announce reads the updated feeds, as their followers do.
func (r *feedRound) announce(ctx context.Context, updated []cqrsfeed.FeedUpdated) error {
	for _, u := range updated {
		page, err := r.observer.Page(ctx, u.Feed, "", limits.MaxPageLimit)
		if err != nil {
			return err
		}
		r.followed[u.Feed] = model.Describe(page.Items)
	}
	return nil
}
