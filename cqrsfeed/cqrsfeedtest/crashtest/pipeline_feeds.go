package crashtest

import (
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// feedSide projects events into feeds.
type feedSide struct{ stores FeedStoreProcesses }

func (s feedSide) holdsLocks() bool { return s.stores.HoldsLocks }

func (s feedSide) open(p *Process) (projection projector.Projection, updates string, closeIt func(), err error) {
	store, closeStore, err := s.stores.Open(p)
	if err != nil {
		return nil, "", nil, err
	}
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[model.Body]{
		Store: store,
		FeedsOf: func(item cqrsfeed.Item[model.Body]) []string {
			if isRefused(item) {
				panic(crashRefusal)
			}
			return item.Body.Tags
		},
	})
	return feeds, crashUpdates, closeStore, err
}

// crashRefusal is why a refused version is in the poison topic.
const crashRefusal = "refused by the rule of the feeds"

// isRefused reports whether the feeds refuse a version, which their repository has accepted.
func isRefused(item cqrsfeed.Item[model.Body]) bool { return item.Body.Score == refusedScore }

func (s feedSide) compare(r *pipelineRound, items []cqrsfeed.Item[model.Body]) {
	t := r.t
	watch := newProcess(t.Context())
	defer watch.cancel()
	feeds, closeFeeds, err := s.stores.Open(watch)
	require.NoError(t, err)
	defer closeFeeds()
	var states []model.Change
	for _, item := range items {
		state := model.Change{Item: item}
		if !item.Deleted {
			state.Feeds, state.Withheld = item.Body.Tags, isRefused(item)
		}
		states = append(states, state)
	}
	want := model.Fold(states)
	for _, feed := range crashFeeds() {
		want[feed] = append([]cqrsfeed.Item[model.Body]{}, want[feed]...)
	}
	model.Require(t, feeds, want)
	for _, item := range items {
		got, err := feeds.ItemVersion(t.Context(), item.ID)
		require.NoError(t, err)
		require.Equal(t, item.Version, got, "version of item %q in the feeds", item.ID)
	}
	for feed := range want.Sizes() {
		require.True(t, r.broker.announced[feed], "feed %q was announced", feed)
	}
}
