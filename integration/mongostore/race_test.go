package mongostore_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestItemsInsertedAtTheSameMoment has two workers insert the same items in two versions at once. The one that loses is told of
// a duplicate key, also when it is the newer.
func TestItemsInsertedAtTheSameMoment(t *testing.T) {
	t.Parallel()
	uri, older, newer := servers.Mongo(t), &commands{}, &commands{}
	first := open(t, connect(t, uri, older.monitor()), mongostore.FeedStoreConfig{})
	second := open(t, connect(t, uri, newer.monitor()), mongostore.FeedStoreConfig{})
	const rounds = 100
	want := make(map[string]int64)
	for round := range rounds {
		id := fmt.Sprintf("post-%03d", round)
		want[id] = 2
		var workers sync.WaitGroup
		var errs [2]error
		apply := func(s *store, c change, err *error) {
			workers.Go(func() { _, *err = s.Apply(t.Context(), []change{c}) })
		}
		// Both are held before their insert: one before its first command, the other after it found no item.
		beforeInsert, resumeFirst := older.holdBefore(t, 1)
		apply(first, state(id, 1, "a"), &errs[0])
		<-beforeInsert
		beforeInsert, resumeSecond := newer.holdBefore(t, 2)
		apply(second, state(id, 2, "a"), &errs[1])
		<-beforeInsert
		resumeFirst()
		resumeSecond()
		workers.Wait()
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
	}
	require.Equal(t, want, versions(t, second, "a"))
	require.Equal(t, map[string]int64{"a": rounds}, settled(t, second))
}

// holdRecount begins a Recount by the second of two stores, when it has counted a feed "a" of one item and not stored the count.
func holdRecount(t *testing.T) (other *store, finish func()) {
	t.Helper()
	uri, watched := servers.Mongo(t), &commands{}
	config := mongostore.FeedStoreConfig{CountAtOnce: mongostore.Off}
	other, held := open(t, connect(t, uri, nil), config), open(t, connect(t, uri, watched.monitor()), config)
	deliver(t, held, [][]change{{state("x", 1, "a")}})

	const beforeStore = 3 // behind finding the feed and counting it
	reached, resume := watched.holdBefore(t, beforeStore)
	done := make(chan error, 1)
	go func() {
		_, err := held.Recount(t.Context())
		done <- err
	}()
	<-reached
	return other, func() {
		resume()
		require.NoError(t, <-done)
	}
}

// TestFeedsThatChangeWhileTheyAreCounted are counted again.
func TestFeedsThatChangeWhileTheyAreCounted(t *testing.T) {
	t.Parallel()
	other, finish := holdRecount(t)
	deliver(t, other, [][]change{{state("y", 1, "a")}})
	finish()
	require.Equal(t, map[string]int64{"a": 2}, settled(t, other))
}

// TestLateCountsAreNotStored holds a Recount between counting and storing. Meanwhile the feed changes and another one counts.
func TestLateCountsAreNotStored(t *testing.T) {
	t.Parallel()
	other, finish := holdRecount(t)
	deliver(t, other, [][]change{{state("y", 1, "a")}})
	require.Equal(t, map[string]int64{"a": 2}, settled(t, other))
	finish()
	feeds, err := other.Feeds(t.Context(), "", 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, feeds[0].Count, "readers never see the older count")
}
