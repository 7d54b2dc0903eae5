package projector_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// runRelay runs a relay that publishes into a projection until the test ends.
func runRelay(t *testing.T, queue outbox.Outbox, config projector.Config) {
	t.Helper()
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		Outbox: queue, Publisher: inProcess(t, config, nil), MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-done)
	})
}

func openStores(t *testing.T) (*sqlitestore.Repository[Note], *sqlitestore.Outbox, *sqlitestore.FeedStore[Note]) {
	t.Helper()
	notes, queue, feeds, done := examplenotes.Open(t.Context())
	t.Cleanup(done)
	return notes, queue, feeds
}

// TestARelayParksWhatAProjectionRefuses: the outbox keeps it, and all that was published with it is applied.
func TestARelayParksWhatAProjectionRefuses(t *testing.T) {
	t.Parallel()
	notes, queue, feeds := openStores(t)
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store: feeds,
		FeedsOf: func(note cqrsfeed.Item[Note]) []string {
			if note.ID == "bad" {
				panic("no feeds for it")
			}
			return note.Body.Tags
		},
	})
	require.NoError(t, err)
	for _, id := range []string{"1", "bad", "2"} { // one batch
		_, err := notes.Create(t.Context(), id, Note{Tags: []string{"go"}})
		require.NoError(t, err)
	}
	runRelay(t, queue, projector.Config{Projection: tagFeeds})
	require.Eventually(t, func() bool {
		backlog, err := queue.Backlog(t.Context())
		return assert.NoError(t, err) && backlog.Waiting == 0
	}, time.Minute, time.Millisecond)
	parked, err := queue.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 1)
	assert.Contains(t, parked[0].Reason, "no feeds for it")
	page, err := feeds.Page(t.Context(), "go", "", 10)
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
}

// TestWritersDoNotWaitForASlowProjection that takes all of ApplyTimeout. Everything is applied afterwards, and nothing is
// parked.
func TestWritersDoNotWaitForASlowProjection(t *testing.T) {
	t.Parallel()
	notes, queue, _ := openStores(t)
	var hangs, hung atomic.Bool // is in it, was in it
	applied := make(chan string, 1000)
	runRelay(t, queue, projector.Config{
		ApplyTimeout: 300 * time.Millisecond,
		Projection: funcProjection(func(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
			if !hung.Load() {
				hangs.Store(true)
				<-ctx.Done()
				hangs.Store(false)
				hung.Store(true)
				return nil, ctx.Err()
			}
			for _, msg := range batch {
				note, err := cqrsfeed.DecodeItem[Note](msg)
				assert.NoError(t, err)
				applied <- note.ID
			}
			return nil, nil
		}),
	})
	written, meanwhile := 0, 0
	for ; !hung.Load(); written++ {
		before := hangs.Load()
		_, err := notes.Create(t.Context(), fmt.Sprint(written), Note{})
		require.NoError(t, err)
		if before && hangs.Load() {
			meanwhile++
		}
	}
	t.Logf("%d writes while the projection hung", meanwhile)
	assert.Greater(t, meanwhile, 2)
	seen := map[string]bool{}
	for len(seen) < written {
		seen[<-applied] = true
	}
	parked, err := queue.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	assert.Empty(t, parked)
}
