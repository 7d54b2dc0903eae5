package cqrsfeed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// appliedStore records what is applied. Its other methods are not called.
type appliedStore struct {
	cqrsfeed.FeedStore[[]string]
	applied []cqrsfeed.FeedChange[[]string]
	err     error
}

func (s *appliedStore) Apply(_ context.Context, batch []cqrsfeed.FeedChange[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	s.applied = append(s.applied, batch...)
	return []cqrsfeed.FeedUpdated{{Feed: "go", Revision: 7}}, s.err
}

func newTagFeeds(t *testing.T, store cqrsfeed.FeedStore[[]string]) *cqrsfeed.TagFeeds[[]string] {
	t.Helper()
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[[]string]{
		Store:   store,
		FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body },
	})
	require.NoError(t, err)
	return feeds
}

func itemMessage(t *testing.T, item cqrsfeed.Item[[]string]) *message.Message {
	t.Helper()
	msg, err := cqrsfeed.NewMessage(cqrsfeed.ItemUpdatedName, cqrsfeed.ItemUpdated[[]string]{Item: item})
	require.NoError(t, err)
	return msg
}

func TestTagFeedsAppliesEveryVersionAndAnnouncesFeeds(t *testing.T) {
	t.Parallel()
	store := &appliedStore{}
	v1 := cqrsfeed.Item[[]string]{ID: "x", Version: 1, Body: []string{"go", "b", "go"}}
	v2 := cqrsfeed.Item[[]string]{ID: "x", Version: 2, Body: []string{"go"}, Deleted: true}
	updates, err := newTagFeeds(t, store).Apply(t.Context(), []*message.Message{itemMessage(t, v1), itemMessage(t, v2)})
	require.NoError(t, err)
	assert.Equal(t, []cqrsfeed.FeedChange[[]string]{
		{Item: v1, Feeds: []string{"b", "go"}}, // each feed once
		{Item: v2},                             // a deleted item is in no feed
	}, store.applied)
	require.Len(t, updates, 1)
	var event cqrsfeed.FeedUpdated
	require.NoError(t, json.Unmarshal(updates[0].Payload, &event))
	assert.Equal(t, cqrsfeed.FeedUpdated{Feed: "go", Revision: 7}, event)
	assert.Equal(t, cqrsfeed.FeedUpdatedName, updates[0].Metadata.Get(cqrsfeed.NameKey))
}

func TestTagFeedsAppliesNothingBesideARefusedMessage(t *testing.T) {
	t.Parallel()
	store := &appliedStore{}
	good := itemMessage(t, cqrsfeed.Item[[]string]{ID: "x", Version: 1, Body: []string{"go"}})
	bad := message.NewMessage("bad", []byte("{"))
	badFeed := itemMessage(t, cqrsfeed.Item[[]string]{ID: "y", Version: 1, Body: []string{""}})
	_, err := newTagFeeds(t, store).Apply(t.Context(), []*message.Message{good, bad, badFeed})
	require.ErrorContains(t, err, "bad")
	require.ErrorContains(t, err, "feed name is empty")
	assert.Empty(t, store.applied)
}

func TestTagFeedsRefusesAMessageThatPanics(t *testing.T) {
	t.Parallel()
	store := &appliedStore{}
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[[]string]{
		Store:   store,
		FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body[5:] },
	})
	require.NoError(t, err)
	_, err = feeds.Apply(t.Context(), []*message.Message{itemMessage(t, cqrsfeed.Item[[]string]{ID: "x", Version: 1})})
	_, ok := errors.AsType[*cqrsfeed.RefusedError](err)
	assert.True(t, ok, err)
	assert.Empty(t, store.applied)
}

// pickyStore refuses one item for good, as a store does that it is too large for.
type pickyStore struct {
	appliedStore
	refuses string
}

func (s *pickyStore) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	for _, change := range batch {
		if change.Item.ID == s.refuses {
			return nil, fmt.Errorf("%w: too large", cqrsfeed.ErrInvalid)
		}
	}
	return s.appliedStore.Apply(ctx, batch)
}

func TestTagFeedsRefusesWhatTheStoreRefuses(t *testing.T) {
	t.Parallel()
	good := itemMessage(t, cqrsfeed.Item[[]string]{ID: "good", Version: 1, Body: []string{"go"}})
	bad := itemMessage(t, cqrsfeed.Item[[]string]{ID: "bad", Version: 1, Body: []string{"go"}})
	_, err := newTagFeeds(t, &pickyStore{refuses: "bad"}).Apply(t.Context(), []*message.Message{good, bad})
	refused, ok := errors.AsType[*cqrsfeed.RefusedError](err)
	require.True(t, ok, err)
	assert.Same(t, bad, refused.Message)
	require.ErrorIs(t, refused.Reason, cqrsfeed.ErrInvalid)
	require.NotContains(t, err.Error(), good.UUID)
}

func TestTagFeedsReportsTheStoresFailure(t *testing.T) {
	t.Parallel()
	_, err := newTagFeeds(t, &appliedStore{err: errDown}).Apply(t.Context(), nil)
	require.ErrorIs(t, err, errDown)
}

// TestTagFeedsReturnsWhatWasCountedBeforeAFailure: the store does not return it again.
func TestTagFeedsReturnsWhatWasCountedBeforeAFailure(t *testing.T) {
	t.Parallel()
	store := &cutRecount{updated: []cqrsfeed.FeedUpdated{{Feed: "go", Revision: 7}}}
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[string]{
		Store: store, FeedsOf: func(cqrsfeed.Item[string]) []string { return nil },
	})
	require.NoError(t, err)
	updates, err := feeds.Sweep(t.Context())
	require.ErrorIs(t, err, errDown)
	require.Equal(t, map[string]int64{"go": 7}, revisionsOf(t, updates))
}

func TestTagFeedsConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[string]{})
	require.ErrorContains(t, err, "Store")
	require.ErrorContains(t, err, "FeedsOf")
}

// cutRecount is a store whose Recount fails after it has counted.
type cutRecount struct {
	cqrsfeed.FeedStore[string]
	updated []cqrsfeed.FeedUpdated
}

func (s *cutRecount) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	return s.updated, errDown
}

func revisionsOf(t *testing.T, updates []*message.Message) map[string]int64 {
	t.Helper()
	revisions := map[string]int64{}
	for _, update := range updates {
		var event cqrsfeed.FeedUpdated
		require.NoError(t, json.Unmarshal(update.Payload, &event))
		require.NotContains(t, revisions, event.Feed, "a feed is announced once")
		revisions[event.Feed] = event.Revision
	}
	return revisions
}
