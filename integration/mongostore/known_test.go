package mongostore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// Commands that go out together have no order. With so many rounds each of them is held first in some.
const roundsOfTwo = 20

// TestCountsOfWorkersInOneStore holds a worker that inserts an item before each of its commands. Meanwhile another worker of the
// same store, or of another one, counts what is there. The worker either assumes the head of the feed or reads it beside the insert.
func TestCountsOfWorkersInOneStore(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int{"assumed": 2, "read": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watched := &commands{}
			db := connect(t, servers.Mongo(t), watched.monitor())
			for holdAt := 1; holdAt <= most; holdAt++ {
				for round := range roundsOfTwo {
					config := mongostore.FeedStoreConfig{Name: fmt.Sprintf("at%d.%d", holdAt, round)}
					s, other := open(t, db, config), reopen(t, db, config)
					meanwhile := s
					if round%2 == 1 {
						meanwhile = other
					}
					if name == "assumed" {
						deliver(t, s, [][]change{{state("x", 1, "a")}})
					} else {
						deliver(t, other, [][]change{{state("x", 1, "a")}})
						require.Len(t, versions(t, s, "a"), 1)
					}
					worker := hold(t, s, watched, holdAt, []change{state("y", 1, "a")})
					require.True(t, worker.reached, "command %d", holdAt)
					require.Eventually(t, func() bool { return watched.answered() == len(watched.sent())-1 }, time.Minute, time.Millisecond)
					deliver(t, meanwhile, [][]change{{state("x", 2, "a")}, {state("z", 1, "a")}})
					worker.resume()
					require.NoError(t, (<-worker.applied).err)
					require.Equal(t, map[string]int64{"a": 3}, settled(t, s), "held before command %d of %v", holdAt, watched.sent())
					deliver(t, s, [][]change{{state("last", 1, "a")}})
					require.Equal(t, map[string]int64{"a": 4}, settled(t, s))
				}
			}
		})
	}
}

// TestHeadsThatAreLostAreNotAssumed has a store lose the head that it knew to another store, and mark the count as pending.
func TestHeadsThatAreLostAreNotAssumed(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	db := connect(t, servers.Mongo(t), watched.monitor())
	s, other := open(t, db, mongostore.FeedStoreConfig{}), open(t, db, mongostore.FeedStoreConfig{})
	deliver(t, s, [][]change{{state("x", 1, "a")}})
	worker := hold(t, s, watched, 5, []change{state("x", 2, "a")})
	require.True(t, worker.reached)
	require.Equal(t, []string{"aggregate", "update"}, watched.sent()[3:], "it has counted, and is about to bump")
	deliver(t, other, [][]change{{state("y", 1, "a")}})
	worker.resume()
	require.NoError(t, (<-worker.applied).err)
	watched.forget()
	deliver(t, s, [][]change{{state("z", 1, "a")}})
	require.ElementsMatch(t, []string{"insert", "find", "update", "find"}, watched.sent(),
		"insert the item and read the head, bump, read the revision: the old head is not assumed")
	require.Equal(t, map[string]int64{"a": 3}, settled(t, s))
}

// TestHeadsThatBeganAgain has a store assume the head of a feed that was removed. The head that others have made since has the
// same revision.
func TestHeadsThatBeganAgain(t *testing.T) {
	t.Parallel()
	db := connect(t, servers.Mongo(t), nil)
	s, other := open(t, db, mongostore.FeedStoreConfig{}), open(t, db, mongostore.FeedStoreConfig{})
	deliver(t, s, [][]change{{state("x", 1, "a")}, {state("x", 2, "b")}})
	removed, err := other.ForgetFeeds(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 1, removed)
	deliver(t, other, [][]change{{state("y", 1, "a")}, {state("z", 1, "a")}})
	page, err := other.Page(t.Context(), "a", "", 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, page.Feed.Revision, "which the store assumes")
	deliver(t, s, [][]change{{state("last", 1, "a")}})
	require.Equal(t, map[string]int64{"a": 3, "b": 1}, settled(t, s))
}

// TestCountsOfNewItemsAmongOthers applies batches whose new items are in feeds that other items enter, leave, or are in already.
func TestCountsOfNewItemsAmongOthers(t *testing.T) {
	t.Parallel()
	s := openFresh(t, mongostore.FeedStoreConfig{})
	deliver(t, s, [][]change{
		{state("in a", 1, "a"), state("in b", 1, "b"), state("in c", 1, "c")},
		{state("new 1", 1, "a", "b", "c"), state("in b", 2, "a"), state("in c", 1, "c")},
	})
	feeds, err := s.Feeds(t.Context(), "", limits.MaxPageLimit)
	require.NoError(t, err)
	counts := make(map[string]int64)
	for _, feed := range feeds {
		counts[feed.Name] = feed.Count
	}
	require.Equal(t, map[string]int64{"a": 3, "b": 1, "c": 2}, counts)
}

// TestPendingCountsAreNotAddedTo has a store read a head whose count lacks an item, before it inserts another one.
func TestPendingCountsAreNotAddedTo(t *testing.T) {
	t.Parallel()
	db := connect(t, servers.Mongo(t), nil)
	s, deferring := open(t, db, mongostore.FeedStoreConfig{}), open(t, db, mongostore.FeedStoreConfig{CountAtOnce: mongostore.Off})
	deliver(t, deferring, [][]change{{state("x", 1, "a")}})
	page, err := s.Page(t.Context(), "a", "", 1)
	require.NoError(t, err)
	require.Zero(t, page.Feed.Count)
	deliver(t, s, [][]change{{state("y", 1, "a")}})
	require.Equal(t, map[string]int64{"a": 2}, settled(t, s))
}

// TestPagesAreNotOlderThanTheirRevision holds one of the two reads of a page while the feed changes.
func TestPagesAreNotOlderThanTheirRevision(t *testing.T) {
	t.Parallel()
	uri, watched := servers.Mongo(t), &commands{}
	reader, other := open(t, connect(t, uri, watched.monitor()), mongostore.FeedStoreConfig{}), open(t, connect(t, uri, nil), mongostore.FeedStoreConfig{})
	for round := range roundsOfTwo {
		deliver(t, reader, [][]change{{state(fmt.Sprintf("own %d", round), 1, "a")}, {state(fmt.Sprintf("next %d", round), 1, "a")}})
		reached, resume := watched.holdBefore(t, 1)
		read := make(chan cqrsfeed.FeedPage[body], 1)
		failed := make(chan error, 1)
		go func() {
			page, err := reader.Page(t.Context(), "a", "", limits.MaxPageLimit)
			read <- page
			failed <- err
		}()
		<-reached
		require.Eventually(t, func() bool { return watched.answered() == 1 }, time.Minute, time.Millisecond,
			"the store has written the head and the one before, so both are read at once")
		updated, err := other.Apply(t.Context(), []change{state(fmt.Sprintf("other %d", round), 1, "a")})
		require.NoError(t, err)
		resume()
		page := <-read
		require.NoError(t, <-failed)
		items := int64(len(page.Items))
		if page.Feed.Revision >= updated[0].Revision {
			require.EqualValues(t, 3*round+3, items, "what was announced with the revision of the page")
		}
		require.GreaterOrEqual(t, items, page.Feed.Count)
	}
}
