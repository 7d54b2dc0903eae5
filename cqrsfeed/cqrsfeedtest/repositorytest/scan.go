package repositorytest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// oddIDs would be equal, or in another order, under common collations of databases.
func oddIDs() []string {
	return []string{"B", "a", "A", "b", "á", "a ", "aa", "ß", "ss", "Ω", "😀", "😁", "\u00e9", "e\u0301", "_", "%", "\\", "'"}
}

func testScan(t *testing.T, f Fixture) {
	ids := oddIDs()
	want := map[string]cqrsfeed.Item[model.Body]{}
	for _, id := range ids {
		want[id] = f.mustCreate(t, id)
	}
	var err error
	want["B"] = f.mustDelete(t, "B")
	want["ß"] = f.mustUpdate(t, "ß", setText("new"))

	slices.Sort(ids)
	for _, limit := range []int{1, 4, len(ids), 100} {
		var seen []string
		after := ""
		for {
			items, err := f.Repository.Scan(t.Context(), after, limit)
			require.NoError(t, err)
			if len(items) == 0 {
				break
			}
			require.LessOrEqual(t, len(items), limit)
			for _, item := range items {
				seen = append(seen, item.ID)
				require.Equal(t, want[item.ID], item)
			}
			after = seen[len(seen)-1]
		}
		require.Equal(t, ids, seen, "in pages of %d", limit)
	}

	items, err := f.Repository.Scan(t.Context(), "azz", 1)
	require.NoError(t, err)
	require.Len(t, items, 1, "after need not be an id")
	assert.Equal(t, "b", items[0].ID)
}

func testScanLimits(t *testing.T, f Fixture) {
	const more = limits.DefaultPageLimit + 2
	for i := range more {
		f.mustCreate(t, fmt.Sprintf("%03d", i))
	}
	for limit, want := range map[int]int{
		0: limits.DefaultPageLimit, -1: limits.DefaultPageLimit, limits.MaxPageLimit + 1: more,
	} {
		items, err := f.Repository.Scan(t.Context(), "", limit)
		require.NoError(t, err)
		assert.Len(t, items, want, "limit %d", limit)
	}
}
