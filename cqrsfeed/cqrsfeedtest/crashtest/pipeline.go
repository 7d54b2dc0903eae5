package crashtest

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// PipelineProcesses says how the processes of a crash test open the stores of one and the same pipeline. The whole of it
// for a store on SQL is in adapters/sqlitestore/crash_test.go.
type PipelineProcesses struct {
	// WriteModel opens the repository and its outbox as this process has them: on connections of its own,
	// each statement of which is a step of the process. The function that it returns ends the connections at
	// once, also when the process was stopped. It is called from any goroutine.
	WriteModel func(process *Process) (model WriteModel, closeModel func(), err error)
	// Topics are those that the repository was configured with; three different ones.
	Topics cqrsfeed.Topics
	// Feeds opens the feed store.
	Feeds FeedStoreProcesses
}

// WriteModel is a repository, and the outbox that its events go to.
type WriteModel struct {
	Repository cqrsfeed.Repository[feedmodel.Body]
	Outbox     outbox.Outbox
}

// TestPipeline runs a whole pipeline: processes that change items and relay the outbox, and processes that
// project the events into feeds, with a broker between them that loses nothing but repeats and reorders. Every
// process is stopped at one of its steps, be it a statement, a publishing or an acknowledgement, and a new
// one takes its place; some stand still for a while. When that has happened often enough and all came to rest,
//
//   - no accepted change is missing, and every version of every item has had its event published;
//   - no relay has published the events of an item in another order than that of its versions within a batch;
//   - what is left in the outbox has been published, and no message was set aside as poison;
//   - every feed, entry, count and version is that of the write model, and every feed was announced.
//
// fresh is called for each round. Processes run beside each other, so a round that is played again with
// FEEDMILL_CRASH_SEED stops them at the same of their steps, but not in the same order.
// FEEDMILL_CRASHES says how many crashes there have to be, 100 by default.
func TestPipeline(t *testing.T, fresh func(t *testing.T) PipelineProcesses) {
	t.Helper()
	crashRounds(t, func(t *testing.T, seed uint64) int {
		t.Helper()
		changed := newBeat()
		r := &pipelineRound{
			t: t, seed: seed, stores: fresh(t), changed: changed, broker: newCrashBroker(seed, changed),
			creators: make(map[string]int), accepted: make(map[string]int64),
		}
		r.play()
		return r.crashes
	})
}

const (
	crashesPerRound = 50
	mostBacklog     = 40 // writers wait while there is more to project
	roundTimeout    = 2 * time.Minute
)

func crashFeeds() []string { return []string{"feed-0", "feed-1", "feed-2", "feed-3"} }

// pipelineRound is the world of a pipeline.
type pipelineRound struct {
	t       *testing.T
	seed    uint64
	stores  PipelineProcesses
	broker  *crashBroker
	changed *beat

	mu       sync.Mutex
	crashes  int
	calm     bool // nobody is stopped any more, and nothing is written
	steps    int  // of all processes
	holding  bool // somebody stands still
	writing  int  // changes that are being made
	ids      []string
	made     int
	creators map[string]int   // how often somebody has tried to create each
	accepted map[string]int64 // the highest version of each item that a writer was told of
	trace    []string
}

func (r *pipelineRound) play() {
	watch := newProcess(r.t.Context())
	defer watch.cancel()
	model, closeModel, err := r.stores.WriteModel(watch)
	require.NoError(r.t, err)
	defer closeModel()
	feeds, closeFeeds, err := r.stores.Feeds.Open(watch)
	require.NoError(r.t, err)
	defer closeFeeds()

	ctx, cancel := context.WithCancel(r.t.Context())
	var running sync.WaitGroup
	stop := func() {
		cancel()
		running.Wait()
	}
	defer stop()
	dice := rand.New(rand.NewPCG(r.seed, 5))
	for range 1 + dice.IntN(2) {
		plan := rand.New(rand.NewPCG(dice.Uint64(), 6))
		running.Go(func() { r.keepAlive(ctx, "server", plan, r.serve) })
	}
	for range 2 {
		plan := rand.New(rand.NewPCG(dice.Uint64(), 7))
		running.Go(func() { r.keepAlive(ctx, "projector", plan, r.project) })
	}
	assert.EventuallyWithT(r.t, func(c *assert.CollectT) { r.requireRest(c, model.Repository) }, roundTimeout, 10*time.Millisecond)
	stop()
	if r.t.Failed() {
		for _, line := range r.trace {
			r.t.Log(line)
		}
		require.FailNow(r.t, "the pipeline failed or did not come to rest")
	}
	r.compare(model, feeds)
}
