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
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// PipelineProcesses opens the stores of one pipeline for the processes of a test. adapters/sqlitestore/crash_test.go is an
// example.
type PipelineProcesses struct {
	// WriteModel opens the repository and its outbox on new connections. Each of their statements is a step of the process.
	// closeModel closes the connections at once, also after the process was stopped. WriteModel must be safe for concurrent
	// use.
	WriteModel func(process *Process) (model WriteModel, closeModel func(), err error)
	// Topics are the repository's topics, three different ones.
	Topics cqrsfeed.Topics
	// Feeds opens the feed store.
	Feeds FeedStoreProcesses
}

// WriteModel is a repository, and the outbox that its events go to.
type WriteModel struct {
	Repository cqrsfeed.Repository[cqrsfeedtest.Body]
	Outbox     outbox.Outbox
}

// TestPipeline runs a whole pipeline: processes that change items and relay the outbox, processes that project the events
// into feeds, and a broker that loses nothing but repeats and reorders. It stops every process at one of its steps (a
// statement, a publication, an acknowledgement) and starts a new one. It pauses some. After enough crashes, when nothing is
// under way any more,
//
//   - no accepted change is missing, and the event of every version of every item was published, unless it is erased;
//   - no relay published the events of an item in another order than that of its versions within a batch;
//   - what is left in the outbox was published, and no message was set aside as poison but what the feeds refuse;
//   - every feed, count and version is that of the write model, and every feed was announced.
//
// fresh returns an empty pipeline for each round. Processes run concurrently: a repeated round stops them at the same steps,
// but not in the same order.
func TestPipeline(t *testing.T, fresh func(t *testing.T) PipelineProcesses) {
	t.Helper()
	crashRounds(t, func(t *testing.T, seed uint64) int {
		t.Helper()
		stores := fresh(t)
		return playPipeline(t, seed, stores.WriteModel, stores.Topics, feedSide{stores.Feeds})
	})
}

// playPipeline plays a round and returns its number of crashes.
func playPipeline(t *testing.T, seed uint64, open openWriteModel, topics cqrsfeed.Topics, read readSide) int {
	t.Helper()
	changed := newBeat()
	r := &pipelineRound{
		t: t, seed: seed, open: open, topics: topics, read: read, changed: changed, broker: newCrashBroker(seed, changed),
		creators: make(map[string]int), accepted: make(map[string]int64),
	}
	r.play()
	return r.crashes
}

type openWriteModel = func(process *Process) (model WriteModel, closeModel func(), err error)

// readSide is the projection at the end of a pipeline.
type readSide interface {
	// open opens the projection for a process. updates is the topic of its updates, "" if it has none.
	open(process *Process) (projection projector.Projection, updates string, closeIt func(), err error)
	holdsLocks() bool
	// compare compares the read model with the items of the write model.
	compare(r *pipelineRound, items []cqrsfeed.Item[model.Body])
}

const (
	crashesPerRound = 50
	mostBacklog     = 40 // writers wait while there is more to project
	roundTimeout    = 2 * time.Minute
)

func crashFeeds() []string { return []string{"feed-0", "feed-1", "feed-2", "feed-3"} }

// pipelineRound is one round.
type pipelineRound struct {
	t       *testing.T
	seed    uint64
	open    openWriteModel
	topics  cqrsfeed.Topics
	read    readSide
	broker  *crashBroker
	changed *beat

	mu       sync.Mutex
	crashes  int
	calm     bool // nothing is stopped or written any more
	steps    int  // of all processes
	holding  bool // a process is paused
	writing  int  // changes that are being made
	ids      []string
	made     int
	creators map[string]int   // the attempts to create each
	accepted map[string]int64 // the highest version of each item that a call returned
	trace    []string
}

func (r *pipelineRound) play() {
	watch := newProcess(r.t.Context())
	defer watch.cancel()
	model, closeModel, err := r.open(watch)
	require.NoError(r.t, err)
	defer closeModel()

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
	r.compare(model)
}
