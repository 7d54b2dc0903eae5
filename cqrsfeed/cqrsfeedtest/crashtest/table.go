package crashtest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// TableProcesses opens the stores of a pipeline that ends in a table projection.
type TableProcesses struct {
	// WriteModel and Topics are those of PipelineProcesses.
	WriteModel func(process *Process) (model WriteModel, closeModel func(), err error)
	Topics     cqrsfeed.Topics
	// DB is the projection's database, with the store's schema. The test creates tables there.
	DB *sql.DB
	// Open opens a projection that calls step, on new connections. Each of their statements is a step of the process. closeIt
	// closes the connections at once, also after the process was stopped. Open must be safe for concurrent use.
	Open func(process *Process, step TableStep) (projection projector.Projection, closeIt func(), err error)
}

// TableStep is the function that a table projection calls.
type TableStep = func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[cqrsfeedtest.Body]) error

// TestTableProjection runs the pipeline of TestPipeline with a table projection at its end, which counts the items of each tag
// and records its steps. It also stops processes between the statements of a step. In the end the counts must be those of the
// write model, and the recorded steps of each item must follow each other without a gap or a repetition.
func TestTableProjection(t *testing.T, fresh func(t *testing.T) TableProcesses) {
	t.Helper()
	crashRounds(t, func(t *testing.T, seed uint64) int {
		t.Helper()
		stores := fresh(t)
		counts := model.TagCounts{DB: stores.DB}
		counts.Create(t)
		return playPipeline(t, seed, stores.WriteModel, stores.Topics, tableSide{stores, counts})
	})
}

// tableSide projects events into the tables of TagCounts.
type tableSide struct {
	stores TableProcesses
	counts model.TagCounts
}

func (tableSide) holdsLocks() bool { return true }

func (s tableSide) open(p *Process) (projection projector.Projection, updates string, closeIt func(), err error) {
	projection, closeIt, err = s.stores.Open(p, s.counts.Step)
	return projection, "", closeIt, err
}

func (s tableSide) compare(r *pipelineRound, items []cqrsfeed.Item[model.Body]) {
	s.counts.Require(r.t, items)
	s.counts.RequireChains(r.t, items)
}
