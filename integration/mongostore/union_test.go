package mongostore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestUnionCostIsThatOfItsItems asks the server how it runs the very command that Union sends: it merges ranges of the index
// from the cursor, without a sort, and examines an item for each feed more than the page has.
func TestUnionCostIsThatOfItsItems(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	db := connect(t, servers.Mongo(t), watched.monitor())
	s := open(t, db, mongostore.FeedStoreConfig{})
	feeds := make([]string, 20)
	for i := range feeds {
		feeds[i] = fmt.Sprintf("feed-%02d", i)
	}
	var batch []change
	for i := range 5_000 {
		batch = append(batch, state(fmt.Sprintf("post-%05d", i), 1, feeds[i%20], feeds[i*7%20]))
	}
	deliver(t, s, [][]change{batch})

	const limit = 10
	watched.forget()
	first, err := s.Union(t.Context(), feeds, "", limit)
	require.NoError(t, err)
	require.Equal(t, []string{"find", "find"}, watched.sent(), "the heads, and the items")
	fresh := explain(t, db, watched.last("find"), limit+len(feeds))
	_, err = s.Union(t.Context(), feeds, first.Next, limit)
	require.NoError(t, err)
	require.Equal(t, fresh, explain(t, db, watched.last("find"), limit+len(feeds)))
	require.NotContains(t, fresh, "Bitmap Heap Scan", "which reads all that match")
}
