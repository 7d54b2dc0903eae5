// Package releasestest runs two releases of an application side by side, on one write model and one read model. They differ in
// the type of a body. docs/changing-items.md shows the types, and each store runs the recipes.
package releasestest

import (
	"context"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Release is an instance of one release of the application. All instances of a test share tables and feeds.
type Release[T any] struct {
	Notes  cqrsfeed.Repository[T]
	Feeds  readmodel.Store[T]
	Outbox outbox.Outbox
}

// feed is the feed of all notes.
const feed = "all"

func feedsOf[T any](cqrsfeed.Item[T]) []string { return []string{feed} }

// create creates a note.
func (r Release[T]) create(t *testing.T, id string, body T) {
	t.Helper()
	_, err := r.Notes.Create(t.Context(), id, body)
	require.NoError(t, err)
}

// update changes a note.
func (r Release[T]) update(t *testing.T, id string, change func(*T)) {
	t.Helper()
	_, err := r.Notes.Update(t.Context(), id, func(body *T) error {
		change(body)
		return nil
	})
	require.NoError(t, err)
}

// importCopy imports a note under another id.
func (r Release[T]) importCopy(t *testing.T, id, as string) {
	t.Helper()
	notes, ok := r.Notes.(cqrsfeed.Importer[T])
	require.True(t, ok, "%T does not implement cqrsfeed.Importer", r.Notes)
	item, err := r.Notes.Get(t.Context(), id)
	require.NoError(t, err)
	item.ID = as
	summary, err := notes.Import(t.Context(), func(yield func(cqrsfeed.Item[T], error) bool) { yield(item, nil) }, nil)
	require.NoError(t, err)
	require.Equal(t, cqrsfeed.ImportSummary{Stored: 1}, summary)
}

// project applies all events that wait, as the projector of this release does, and returns those that it cannot decode.
func (r Release[T]) project(t *testing.T) (failed []*message.Message) {
	t.Helper()
	var events []*message.Message
	_, err := r.Outbox.Drain(t.Context(), 1000, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		for _, m := range batch {
			events = append(events, m.Message)
		}
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	return r.apply(t, events...)
}

// apply applies events one by one, and returns those that this release cannot decode.
func (r Release[T]) apply(t *testing.T, events ...*message.Message) (failed []*message.Message) {
	t.Helper()
	tags, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[T]{Store: r.Feeds, FeedsOf: feedsOf[T]})
	require.NoError(t, err)
	for _, event := range events {
		_, err := tags.Apply(t.Context(), []*message.Message{event})
		if len(driver.Failures(err)) > 0 {
			failed = append(failed, event)
			continue
		}
		require.NoError(t, err)
	}
	return failed
}

// requireBodies checks that the write model and the feed show these notes, after the projectors of the other release.
func (r Release[T]) requireBodies(t *testing.T, want map[string]T) {
	t.Helper()
	page, err := r.Feeds.Page(t.Context(), feed, "", 100)
	require.NoError(t, err)
	require.Empty(t, page.Skipped)
	got := make(map[string]T)
	for _, item := range page.Items {
		got[item.ID] = item.Body
	}
	require.Equal(t, want, got)
	for id, body := range want {
		item, err := r.Notes.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, body, item.Body, "%s", item.Encoded)
	}
}

// requireNoDrift rebuilds and audits by this release. Neither may change or find anything.
func (r Release[T]) requireNoDrift(t *testing.T) {
	t.Helper()
	_, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[T]{Source: r.Notes, Store: r.Feeds, FeedsOf: feedsOf[T]})
	require.NoError(t, err)
	_, err = readmodel.Audit(t.Context(), readmodel.AuditConfig[T]{
		Source: r.Notes, Store: r.Feeds, FeedsOf: feedsOf[T], RecheckDelay: 1,
		Drift: func(drift readmodel.Drift) { require.Fail(t, drift.String()) },
	})
	require.NoError(t, err)
}

// rewrite stores every note in the form of this release, as an application does before it stops reading an older one.
func (r Release[T]) rewrite(t *testing.T) {
	t.Helper()
	require.NoError(t, Rewrite(t.Context(), r.Notes))
}
