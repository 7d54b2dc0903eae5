package crashtest

import (
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
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
func (r *pipelineRound) requireRest(on require.TestingT, repository cqrsfeed.Repository[model.Body]) {
	require.True(on, r.isCalm(), "more processes will be stopped")
	items, err := repository.Scan(r.t.Context(), "", limits.MaxPageLimit)
	require.NoError(on, err)
	for _, item := range items {
		first := int64(1)
		if item.Deleted && item.Body.Text == "" { // the events before are not published any more
			first = item.Version
		}
		for version := first; version <= item.Version; version++ {
			require.True(on, r.broker.hasPublished(item.ID, version), "the event of version %d of item %q", version, item.ID)
		}
	}
	require.Zero(on, r.broker.unanswered(), "messages that are not acknowledged")
}

// compare compares the outbox and the read model with the write model.
func (r *pipelineRound) compare(model WriteModel) {
	t := r.t
	require.NoError(t, errors.Join(r.broker.problems...))
	for _, left := range outboxes.DrainAll(t, model.Outbox) {
		require.True(t, r.broker.uuids[left.Message.UUID], "message %s was not published", left.Message.UUID)
	}
	items, err := model.Repository.Scan(t.Context(), "", limits.MaxPageLimit)
	require.NoError(t, err)
	require.Less(t, len(items), limits.MaxPageLimit)
	versions := make(map[string]int64)
	for _, item := range items {
		versions[item.ID] = item.Version
	}
	for id, version := range r.accepted {
		require.GreaterOrEqual(t, versions[id], version, "accepted version of item %q", id)
	}
	r.read.compare(r, items)
}
