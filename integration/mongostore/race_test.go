package mongostore_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestEntriesInsertedAtTheSameMoment lets two workers insert the same entries in two versions at once. An
// upsert that loses such a race is told of a duplicate key as a stale one is, also when it is the newer.
func TestEntriesInsertedAtTheSameMoment(t *testing.T) {
	t.Parallel()
	uri, older, newer := servers.Mongo(t), &commands{}, &commands{}
	olderDB, newerDB := connect(t, uri, older.monitor()), connect(t, uri, newer.monitor())
	first, second := open(t, olderDB, mongostore.FeedStoreConfig{}), open(t, newerDB, mongostore.FeedStoreConfig{})
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
		// Both stand before their entry: after the claim, and after the claim and reading back.
		atEntry, resumeFirst := older.holdBefore(t, 2)
		apply(first, state(id, 1, "a"), &errs[0])
		<-atEntry
		atEntry, resumeSecond := newer.holdBefore(t, 3)
		apply(second, state(id, 2, "a"), &errs[1])
		<-atEntry
		resumeFirst()
		resumeSecond()
		workers.Wait()
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
	}
	require.Equal(t, want, versions(t, second, "a"))
	require.Equal(t, map[string]int64{"a": rounds}, settled(t, second))
}
