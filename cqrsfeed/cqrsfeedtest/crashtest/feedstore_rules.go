package crashtest

import (
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

// newRule is the rule of newer releases; the other one is 0.
const newRule = 1

// placed returns a state as a release with a rule applies it. The new rule moves an item from each feed to the next.
func placed(c model.Change, rule int64) model.Change {
	if rule == 0 {
		return c
	}
	c.Rule, c.Feeds = rule, slices.Clone(c.Feeds)
	for i, feed := range c.Feeds {
		last := len(feed) - 1
		c.Feeds[i] = feed[:last] + string('0'+(feed[last]-'0'+1)%feedNames)
	}
	return c
}

// rebuild applies the newest version of each item by the new rule, as readmodel.Rebuild does when all processes of the old
// release have ended. Some attempts are stopped. It returns the history with these states.
func (r *feedRound) rebuild(history []model.Change) []model.Change {
	newest := make(map[string]model.Change)
	for _, c := range history {
		c = placed(c, newRule)
		if known, ok := newest[c.Item.ID]; !ok || known.State().Before(c.State()) {
			newest[c.Item.ID] = c
		}
	}
	states := slices.Collect(maps.Values(newest))
	r.stopSome("the rebuild", func(process *Process) error { return r.reapply(process, states) })
	return slices.Concat(history, states)
}

func (r *feedRound) reapply(process *Process, states []model.Change) error {
	store, closeStore, err := r.stores.Open(process)
	if err != nil {
		return err
	}
	defer closeStore()
	updated, err := store.Apply(process.ctx, states)
	if err != nil {
		return err
	}
	return r.announce(r.t.Context(), updated)
}

// stopSome does something until a process did it that was not stopped. It reports whether one was to be stopped before.
func (r *feedRound) stopSome(what string, do func(*Process) error) (some bool) {
	for ; r.dice.IntN(2) == 0; some = true {
		process := r.doomed(what)
		_ = do(process) // it was stopped, or succeeded
		process.cancel()
	}
	process := newProcess(r.t.Context())
	defer process.cancel()
	require.NoError(r.t, do(process))
	return some
}

// doomed returns a process that is stopped at some step.
func (r *feedRound) doomed(what string) *Process {
	process := newProcess(r.t.Context())
	last := 1 + r.dice.IntN(crashSteps)
	process.oneByOne = true
	process.decide = func(step int, _ string) fate { return fate{before: step == last} }
	process.stopped = func(step int, name string, _ fate) {
		r.crashes++
		r.note("%s is stopped before step %d %q", what, step, name)
	}
	return process
}
