package feedtest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
)

func bodyBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"bodies are kept as they were written": func(t *testing.T, store feedStore) {
			const first = ` { "later" : {"n":9007199254740993,"html":"<&>"}, "text":"\u00fc\u2028", "score":1.0 } `
			const second = `{"text":"new","later":[1e400]}`
			for version, body := range []string{first, second} {
				model.Apply(t, store, model.Encoded(model.State("one", int64(version+1), 0, "go"), body))
				page := model.Page(t, store, "go", "", 10)
				require.Len(t, page.Items, 1)
				require.Equal(t, body, string(page.Items[0].Encoded))
			}
			page := model.Page(t, store, "go", "", 10)
			require.Equal(t, model.Body{Text: "new"}, page.Items[0].Body)
		},
		"pages skip and report what cannot be decoded": func(t *testing.T, store feedStore) {
			batch := numbered(9, "go")
			for _, i := range []int{0, 3, 4, 5, 8} {
				batch[i] = model.Undecodable(batch[i])
			}
			model.Apply(t, store, batch...)
			model.Recount(t, store)
			for limit := 1; limit <= len(batch)+1; limit++ {
				requireSkipped(t, store, limit, []string{"post-007 v1", "post-006 v1", "post-002 v1", "post-001 v1"},
					[]string{"post-008", "post-005", "post-004", "post-003", "post-000"})
			}
		},
		"what cannot be decoded is changed and deleted": func(t *testing.T, store feedStore) {
			model.Apply(t, store, model.Undecodable(model.State("a", 1, 0, "go", "left")), model.Undecodable(model.State("b", 1, 1, "go")))
			history := []model.Change{model.State("a", 2, 0, "go"), model.Undecodable(model.Tombstone("b", 2, 1)), model.State("b", 1, 1, "go"), model.State("a", 1, 0, "left")}
			model.Apply(t, store, history[:2]...)
			model.Require(t, store, model.Fold(history))
		},
	}
}

// requireSkipped reads the feed "go" by pages.
func requireSkipped(t *testing.T, store cqrsfeed.FeedStore[model.Body], limit int, wantItems, wantSkipped []string) {
	t.Helper()
	var items, skipped []string
	for cursor, more := "", true; more; {
		page := model.Page(t, store, "go", cursor, limit)
		require.Equal(t, int64(len(wantItems)+len(wantSkipped)), page.Feed.Count, "the count includes them")
		require.LessOrEqual(t, len(page.Items)+len(page.Skipped), limit)
		items = append(items, model.Describe(page.Items)...)
		for _, undecodable := range page.Skipped {
			skipped = append(skipped, undecodable.Item.ID)
			require.ErrorContains(t, undecodable, fmt.Sprintf("item %q version 1", undecodable.Item.ID))
		}
		cursor, more = page.Next, page.Next != ""
	}
	require.Equal(t, wantItems, items, "pages of %d", limit)
	require.Equal(t, wantSkipped, skipped, "pages of %d", limit)
}
