package crashtest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// unanswered returns the number of messages that are not acknowledged.
func (b *crashBroker) unanswered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.envelopes)
}

func (b *crashBroker) hasPublished(id string, version int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.events[id][version]
}

// requireRest requires that nothing is under way: all is published and acknowledged.
func (r *pipelineRound) requireRest(on require.TestingT, repository cqrsfeed.Repository[feedmodel.Body]) {
	require.True(on, r.isCalm(), "more processes will be stopped")
	items, err := repository.Scan(r.t.Context(), "", cqrsfeed.MaxPageLimit)
	require.NoError(on, err)
	for _, item := range items {
		for version := int64(1); version <= item.Version; version++ {
			require.True(on, r.broker.hasPublished(item.ID, version), "the event of version %d of item %q", version, item.ID)
		}
	}
	require.Zero(on, r.broker.unanswered(), "messages that are not acknowledged")
}

// compare compares the outbox and the feeds with the write model.
func (r *pipelineRound) compare(model WriteModel, feeds cqrsfeed.FeedStore[feedmodel.Body]) {
	t := r.t
	require.NoError(t, errors.Join(r.broker.problems...))
	for _, left := range drainAll(t, model.Outbox) {
		require.True(t, r.broker.uuids[left.Message.UUID], "message %s was not published", left.Message.UUID)
	}
	items, err := model.Repository.Scan(t.Context(), "", cqrsfeed.MaxPageLimit)
	require.NoError(t, err)
	require.Less(t, len(items), cqrsfeed.MaxPageLimit)
	versions := make(map[string]int64)
	var states []feedmodel.Change
	for _, item := range items {
		versions[item.ID] = item.Version
		state := feedmodel.Change{Item: item}
		if !item.Deleted {
			state.Feeds = item.Body.Tags
		}
		states = append(states, state)
	}
	for id, version := range r.accepted {
		require.GreaterOrEqual(t, versions[id], version, "accepted version of item %q", id)
	}
	want := feedmodel.Fold(states)
	for _, feed := range crashFeeds() {
		want[feed] = append([]cqrsfeed.Item[feedmodel.Body]{}, want[feed]...)
	}
	feedmodel.Require(t, feeds, want)
	for id, version := range versions {
		got, err := feeds.ItemVersion(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, version, got, "version of item %q in the feeds", id)
	}
	for feed := range want.Sizes() {
		require.True(t, r.broker.announced[feed], "feed %q was announced", feed)
	}
}

// drainAll empties the outbox.
func drainAll(t *testing.T, queue outbox.Outbox) (all []outbox.Message) {
	t.Helper()
	for taken := 1; taken > 0; {
		var err error
		taken, err = queue.Drain(t.Context(), cqrsfeed.MaxPageLimit, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
			all = append(all, batch...)
			return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
		})
		require.NoError(t, err)
	}
	return all
}
