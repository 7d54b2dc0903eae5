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
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/attempt"
)

// appliedStore records what is applied.
type appliedStore = recordingStore[[]string]

// recordingStore records what is applied. Its other methods are not called.
type recordingStore[T any] struct {
	cqrsfeed.FeedStore[T]
	applied []cqrsfeed.FeedChange[T]
	err     error
}

func (s *recordingStore[T]) Apply(_ context.Context, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
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
	msg, err := cqrsfeed.ItemUpdated[[]string]{Item: item}.Message()
	require.NoError(t, err)
	return msg
}

func TestTagFeedsAppliesEveryVersionAndAnnouncesFeeds(t *testing.T) {
	t.Parallel()
	store := &appliedStore{}
	v1 := cqrsfeed.Item[[]string]{ID: "x", Version: 1, Body: []string{"go", "b", "go"}}
	v2 := cqrsfeed.Item[[]string]{ID: "x", Version: 2, Body: []string{"go"}, Deleted: true}
	v1.Encoded, v2.Encoded = json.RawMessage(`["go","b","go"]`), json.RawMessage(`["go"]`)
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
	assert.Equal(t, "FeedUpdated", updates[0].Metadata.Get(cqrsfeed.NameKey))
}

// TestTagFeedsKeepsNothingThatDecodeRemoved, and keeps unknown fields of items that Decode did not change.
func TestTagFeedsKeepsNothingThatDecodeRemoved(t *testing.T) {
	t.Parallel()
	type account struct{ Name, Email string }
	store := &recordingStore[account]{}
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[account]{
		Store:   store,
		FeedsOf: func(cqrsfeed.Item[account]) []string { return []string{"all"} },
		Decode: func(msg *message.Message) (cqrsfeed.Item[account], error) {
			item, err := cqrsfeed.DecodeItem[account](msg)
			item.Body.Email = ""
			return item, err
		},
	})
	require.NoError(t, err)
	const public = `{"Name":"Bob","Email":"","new":1}`
	_, err = feeds.Apply(t.Context(), []*message.Message{
		message.NewMessage("1", []byte(`{"item":{"id":"x","version":1,"body":{"Name":"Ann","Email":"secret","new":1}}}`)),
		message.NewMessage("2", []byte(`{"item":{"id":"y","version":1,"body":`+public+`}}`)),
	})
	require.NoError(t, err)
	require.Len(t, store.applied, 2)
	body, err := store.applied[0].Item.EncodedBody()
	require.NoError(t, err)
	assert.JSONEq(t, `{"Name":"Ann","Email":""}`, string(body))
	assert.JSONEq(t, public, string(store.applied[1].Item.Encoded))
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
	requireWithheld(t, store, "y")
}

// TestTagFeedsNamesItsRule for a version that it places and for one that it withholds.
func TestTagFeedsNamesItsRule(t *testing.T) {
	t.Parallel()
	store := &appliedStore{}
	config := cqrsfeed.TagFeedsConfig[[]string]{
		Store: store, FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body }, RuleVersion: 3,
	}
	feeds, err := cqrsfeed.NewTagFeeds(config)
	require.NoError(t, err)
	for _, tag := range []string{"go", ""} {
		_, err = feeds.Apply(t.Context(), []*message.Message{itemMessage(t, cqrsfeed.Item[[]string]{ID: "x", Version: 1, Body: []string{tag}})})
		require.Equal(t, tag == "", err != nil)
		require.Equal(t, tag == "", store.applied[len(store.applied)-1].Withheld)
		assert.Equal(t, int64(3), store.applied[len(store.applied)-1].Rule)
	}
	config.RuleVersion = -1
	_, err = cqrsfeed.NewTagFeeds(config)
	require.ErrorContains(t, err, "RuleVersion is -1")
}

// requireWithheld requires that the only changes withhold the first versions of these items.
func requireWithheld(t *testing.T, store *appliedStore, ids ...string) {
	t.Helper()
	var want []cqrsfeed.FeedChange[[]string]
	for _, id := range ids {
		want = append(want, cqrsfeed.Withhold(cqrsfeed.Item[[]string]{ID: id, Version: 1}))
	}
	assert.Equal(t, want, store.applied)
}

// TestTagFeedsLeavesOutWhatItCannotDecode, since another release may decode it. A tombstone needs no body.
func TestTagFeedsLeavesOutWhatItCannotDecode(t *testing.T) {
	t.Parallel()
	store := &appliedStore{}
	other := func(id string, deleted bool) *message.Message {
		msg, err := cqrsfeed.ItemDeleted[json.RawMessage]{
			Item: cqrsfeed.Item[json.RawMessage]{ID: id, Version: 1, Body: json.RawMessage(`{"tags":[]}`), Deleted: deleted},
		}.Message()
		require.NoError(t, err)
		return msg
	}
	tombstone := other("x", true)
	batch := []*message.Message{other("y", false), tombstone, other("z", false), message.NewMessage("bad", []byte("{"))}
	_, err := newTagFeeds(t, store).Apply(t.Context(), batch)
	assert.Empty(t, store.applied)
	failures := driver.Failures(err)
	require.Len(t, failures, 2)
	assert.Same(t, batch[0], failures[0].Message)
	assert.Same(t, batch[2], failures[1].Message)
	require.ErrorContains(t, failures[1], `decode body of item "z" version 1`)
	refusals := driver.Refusals(err)
	require.Len(t, refusals, 1)
	assert.Same(t, batch[3], refusals[0].Message)

	_, err = newTagFeeds(t, store).Apply(t.Context(), batch[1:2])
	require.NoError(t, err)
	require.Len(t, store.applied, 1)
	assert.True(t, store.applied[0].Item.Deleted)
	assert.JSONEq(t, `{"tags":[]}`, string(store.applied[0].Item.Encoded))
}

// TestTagFeedsWithholdsWhatIsSetAside: the last attempt refuses what cannot be decoded, and withholds it by the lowest rule.
func TestTagFeedsWithholdsWhatIsSetAside(t *testing.T) {
	t.Parallel()
	store := &appliedStore{}
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[[]string]{
		Store: store, FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body }, RuleVersion: 7,
		Decode: func(msg *message.Message) (cqrsfeed.Item[[]string], error) {
			_, err := cqrsfeed.DecodeItem[[]string](msg)
			return cqrsfeed.Item[[]string]{}, err
		},
	})
	require.NoError(t, err)
	other, err := cqrsfeed.ItemUpdated[int]{Item: cqrsfeed.Item[int]{ID: "x", Version: 1}}.Message()
	require.NoError(t, err)
	updates, err := feeds.Apply(attempt.WithLast(t.Context()), []*message.Message{other})
	requireWithheld(t, store, "x")
	assert.Len(t, updates, 1)
	refusals := driver.Refusals(err)
	require.Len(t, refusals, 1)
	assert.Same(t, other, refusals[0].Message)
	require.ErrorContains(t, err, `decode body of item "x" version 1`)
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
	requireWithheld(t, store, "x")
}

// pickyStore refuses one item for good, as a store refuses an item that is too large.
type pickyStore struct {
	appliedStore
	refuses string
}

func (s *pickyStore) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	for _, change := range batch {
		if change.Item.ID == s.refuses && !change.Withheld {
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

// TestTagFeedsWithholdsBeforeItRefuses: the updates of the feeds that the earlier version leaves are returned beside the
// refusal. While the store cannot withhold, nothing is refused.
func TestTagFeedsWithholdsBeforeItRefuses(t *testing.T) {
	t.Parallel()
	bad := []*message.Message{itemMessage(t, cqrsfeed.Item[[]string]{ID: "x", Version: 2, Body: []string{""}})}
	updates, err := newTagFeeds(t, &appliedStore{}).Apply(t.Context(), bad)
	_, refused := errors.AsType[*cqrsfeed.RefusedError](err)
	require.True(t, refused, err)
	require.Equal(t, map[string]int64{"go": 7}, revisionsOf(t, updates))

	_, err = newTagFeeds(t, &appliedStore{err: errDown}).Apply(t.Context(), bad)
	require.ErrorIs(t, err, errDown)
	_, refused = errors.AsType[*cqrsfeed.RefusedError](err)
	require.False(t, refused, "it must come again")
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
