package mongostore_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestCommandsAreBounded moves items between as many feeds as are allowed, with the longest names: no command has much more
// than 8 MB, and their number is that of the bytes.
func TestCommandsAreBounded(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	s := open(t, connect(t, servers.Mongo(t), watched.monitor()), mongostore.FeedStoreConfig{})
	watched.forget()
	const items, versions = 40, 2 // of 270 KB each
	for version := int64(1); version <= versions; version++ {
		var feeds []string
		for n := range limits.MaxFeeds {
			name := fmt.Sprintf("%d.%d.", version, n)
			feeds = append(feeds, name+strings.Repeat("x", limits.MaxFeedLength-len(name)))
		}
		var batch []change
		for i := range items {
			c := state(fmt.Sprintf("post-%d", i), version)
			c.Feeds = feeds
			batch = append(batch, c)
		}
		deliver(t, s, [][]change{batch})
	}
	const most = 9 << 20
	for i, name := range watched.sent() {
		require.Less(t, len(watched.bodies[i]), most, name)
	}
	require.Less(t, len(watched.sent()), 40, "%v", watched.sent())
}

// TestListReadsOnlyFeedsWithItems asks the server how it runs the very command that Feeds sends, among many feeds that lost
// their items.
func TestListReadsOnlyFeedsWithItems(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	db := connect(t, servers.Mongo(t), watched.monitor())
	s := open(t, db, mongostore.FeedStoreConfig{})
	const dead = 5000
	var heads []any
	for i := range dead {
		heads = append(heads, bson.D{
			{Key: "_id", Value: fmt.Sprintf("dead-%04d", i)}, {Key: "rev", Value: int64(2)}, {Key: "count", Value: int64(0)}, {Key: "counted", Value: int64(2)},
		})
	}
	_, err := db.Collection("feedmill_feeds").InsertMany(t.Context(), heads)
	require.NoError(t, err)
	deliver(t, s, [][]change{{state("x", 1, "a", "dead-0000a", "dead-4000a", "z"), state("y", 1, "gone", "z")}, {state("y", 2, "z")}})

	feeds, err := s.Feeds(t.Context(), "a", 3)
	require.NoError(t, err)
	require.Equal(t, []string{"dead-0000a", "dead-4000a", "z"}, names(feeds))
	const limit = 3
	stages := explain(t, db, watched.last("find"), limit)
	require.Contains(t, stages, "listed")
	require.NotContains(t, stages, "_id_")

	require.NoError(t, db.Collection("feedmill_feeds").Indexes().DropOne(t.Context(), "listed"))
	_, err = s.Feeds(t.Context(), "", 3)
	require.ErrorContains(t, err, "index listed is missing, EnsureSchema creates it")
}

func names(feeds []cqrsfeed.Feed) []string {
	var all []string
	for _, feed := range feeds {
		all = append(all, feed.Name)
	}
	return all
}

// TestPagesOfLargeBodiesAreNotReadToTheirEnd: a page ends before its bodies are too large, and what is behind it is not
// fetched.
func TestPagesOfLargeBodiesAreNotReadToTheirEnd(t *testing.T) {
	t.Parallel()
	var received atomic.Int64
	monitor := &event.CommandMonitor{Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
		received.Add(int64(len(e.Reply)))
	}}
	s := open(t, connect(t, servers.Mongo(t), monitor), mongostore.FeedStoreConfig{})
	for i := range 10 {
		c := state(fmt.Sprintf("post-%d", i), 1, "a")
		c.Item.Body.Text = strings.Repeat("x", 6<<20)
		deliver(t, s, [][]change{{c}})
	}
	received.Store(0)
	page, err := s.Page(t.Context(), "a", "", 50)
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.NotEmpty(t, page.Next)
	const most = 20 << 20
	require.Less(t, received.Load(), int64(most))
}
