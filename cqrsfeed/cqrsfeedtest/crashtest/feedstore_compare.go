package crashtest

import (
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// settle recounts until the store has counted all. In some rounds recounts are stopped; what they had counted by then may
// not be announced.
func (r *feedRound) settle() {
	r.unfollowed = r.stopSome("settling", r.recount)
}

// recount recounts until nothing is left to do.
func (r *feedRound) recount(process *Process) error {
	store, closeStore, err := r.stores.Open(process)
	if err != nil {
		return err
	}
	defer closeStore()
	for quiet := 0; quiet < driver.RecountCalls; quiet++ {
		updated, err := store.Recount(process.ctx)
		if err != nil {
			return err
		}
		if err := r.announce(r.t.Context(), updated); err != nil {
			return err
		}
		if len(updated) > 0 {
			quiet = -1
		}
	}
	return nil
}

// compare compares the store with the history.
func (r *feedRound) compare(history []model.Change) {
	want := model.Fold(history)
	model.Require(r.t, r.observer, want)
	newest := make(map[string]int64)
	for _, c := range history {
		newest[c.Item.ID] = max(newest[c.Item.ID], c.Item.Version)
	}
	for id, version := range newest {
		got, err := r.observer.ItemVersion(r.t.Context(), id)
		require.NoError(r.t, err)
		require.Equal(r.t, version, got, "version of item %q", id)
	}
	for feed, items := range want {
		if read, ever := r.followed[feed]; !r.unfollowed && (ever || len(items) > 0) {
			require.Equal(r.t, model.Describe(items), append([]string{}, read...), "what a follower of feed %q read last", feed)
		}
	}
}

// end ends the processes that a failure left, and logs what happened.
func (r *feedRound) end() {
	for _, w := range r.workers {
		w.process.cancel()
		r.advance(w)
	}
	if !r.t.Failed() {
		return
	}
	for _, line := range r.trace {
		r.t.Log(line)
	}
}
