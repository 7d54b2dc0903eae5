package feedtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func pagingBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"newest first, equal times by id": func(t *testing.T, store feedStore) {
			batch := []model.Change{
				model.State("b", 1, 5, "go"), model.State("a", 1, 5, "go"), model.State("ab", 1, 5, "go"), model.State("B", 1, 5, "go"),
				model.State("old", 1, 1, "go"), model.State("new", 9, 9, "go"), model.State("ü", 1, 5, "go"), model.State("🙂", 1, 5, "go"),
				model.State("\uffee", 1, 5, "go"),
			}
			model.Apply(t, store, batch...)
			require.Equal(t,
				[]string{"new v9", "🙂 v1", "\uffee v1", "ü v1", "b v1", "ab v1", "a v1", "B v1", "old v1"},
				model.Describe(model.ReadAll(t, store, "go", 100)))
			for limit := 1; limit <= len(batch)+1; limit++ {
				require.Equal(t, model.Describe(model.Fold(batch)["go"]), model.Describe(model.ReadAll(t, store, "go", limit)))
			}
		},
		"a cursor stays where it is while items come and go": func(t *testing.T, store feedStore) {
			model.Apply(t, store, numbered(20, "go")...)
			first, err := store.Page(t.Context(), "go", "", 5)
			require.NoError(t, err)
			require.Equal(t, []string{"post-019 v1", "post-018 v1", "post-017 v1", "post-016 v1", "post-015 v1"}, model.Describe(first.Items))

			model.Apply(t, store, model.State("newer", 1, 100, "go"), model.Tombstone("post-015", 2, 15), model.Tombstone("post-013", 2, 13),
				model.State("post-012", 2, 12, "go"))
			second, err := store.Page(t.Context(), "go", first.Next, 5)
			require.NoError(t, err)
			require.Equal(t, []string{"post-014 v1", "post-012 v2", "post-011 v1", "post-010 v1", "post-009 v1"}, model.Describe(second.Items))
		},
		"a cursor leads on in another feed": func(t *testing.T, store feedStore) {
			model.Apply(t, store, append(numbered(6, "go"), numbered(6, "go", "sse")...)...)
			page := model.Page(t, store, "go", "", 3)
			page = model.Page(t, store, "sse", page.Next, 3)
			for _, item := range page.Items {
				require.Contains(t, item.Body.Tags, "sse")
			}
		},
		"a full last page has no next": func(t *testing.T, store feedStore) {
			model.Apply(t, store, numbered(4, "go")...)
			page := model.Page(t, store, "go", "", 4)
			require.Len(t, page.Items, 4)
			require.Empty(t, page.Next)
		},
		"a cursor past the end yields an empty page": func(t *testing.T, store feedStore) {
			model.Apply(t, store, numbered(3, "go")...)
			cursor := driver.EncodeCursor(driver.Position{CreatedAt: model.Epoch().AddDate(-200, 0, 0), ID: "x"})
			page := model.Page(t, store, "go", cursor, 4)
			require.Empty(t, page.Items)
			require.Empty(t, page.Next)
		},
		"a bad cursor is refused": func(t *testing.T, store feedStore) {
			model.Apply(t, store, numbered(3, "go")...)
			for _, cursor := range []string{"!", "AAAA", "bm90IGEgY3Vyc29y%", "AAAAAAAAAAA"} {
				_, err := store.Page(t.Context(), "go", cursor, 4)
				require.ErrorIs(t, err, cqrsfeed.ErrBadCursor, "cursor %q", cursor)
			}
		},
		"limits are clamped": func(t *testing.T, store feedStore) {
			model.Apply(t, store, numbered(limits.MaxPageLimit+10, "go")...)
			for limit, want := range map[int]int{
				0: limits.DefaultPageLimit, -3: limits.DefaultPageLimit, 7: 7,
				limits.MaxPageLimit: limits.MaxPageLimit, 1 << 40: limits.MaxPageLimit,
			} {
				page := model.Page(t, store, "go", "", limit)
				require.Len(t, page.Items, want, "limit %d", limit)
				require.NotEmpty(t, page.Next)
			}
		},
		"large items make short pages": func(t *testing.T, store feedStore) {
			batch := numbered(30, "go")
			for i := range batch {
				batch[i].Item.Body.Text = strings.Repeat("日", 1000*i) // 3 bytes each
			}
			batch[4].Item.Body.Text = strings.Repeat("x", limits.MaxPageBytes+1)
			model.Apply(t, store, batch...)
			items := model.ReadAll(t, store, "go", len(batch))
			require.Equal(t, model.Describe(model.Fold(batch)["go"]), model.Describe(items), "none is missing")
		},
	}
}
