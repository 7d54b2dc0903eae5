package cqrsfeedtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
)

func valueBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"times keep their microseconds and their order": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var batch []change
			for i, created := range []time.Time{
				{}, // year 1
				time.Date(1883, 11, 18, 12, 3, 58, 999_999_000, time.UTC),
				time.Unix(0, 0).Add(-time.Microsecond), time.Unix(0, 0), time.Unix(0, 0).Add(time.Microsecond),
				feedmodel.Epoch(), feedmodel.Epoch().Add(time.Microsecond), feedmodel.Epoch().Add(2 * time.Microsecond),
				time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
				time.Date(2024, 7, 1, 0, 0, 0, 0, time.FixedZone("east", 5*3600)),
			} {
				c := state(fmt.Sprintf("post-%d", 9-i), 1, 0, "go")
				c.Item.CreatedAt = created
				c.Item.UpdatedAt = created.Add(time.Microsecond)
				batch = append(batch, c)
			}
			apply(t, store, batch...)
			feedmodel.Require(t, store, feedmodel.Fold(batch))
		},
		"bodies are kept exactly": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var batch []change
			for i, text := range []string{
				"", " ", "null", "\x00\x01\x1f", "\u2028\u2029", "<script>alert('&amp;')</script>", "\\u0000 \\", "\"'`",
				"日本語 🙂 👩‍👩‍👧 \u202e", "\ufeff\ufffe", "$set.a|b%", strings.Repeat("long 🙂 ", 100_000/10),
			} {
				c := state(fmt.Sprintf("post-%02d", i), 1, i, "go", "copy")
				c.Item.Body = Body{Text: text, Tags: []string{text, ""}}
				batch = append(batch, c)
			}
			batch[0].Item.Body.Tags = nil
			apply(t, store, batch...)
			feedmodel.Require(t, store, feedmodel.Fold(batch))
		},
		"a batch of large bodies": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var batch []change
			for i := range 60 {
				c := state(fmt.Sprintf("post-%02d", i), 1, i, "a", "b", "c", "d")
				c.Item.Body.Text = strings.Repeat(string(rune('a'+i%26)), 100<<10)
				batch = append(batch, c)
			}
			apply(t, store, batch...)
			feedmodel.RequireCounts(t, store, feedmodel.Fold(batch))
			for i, item := range feedmodel.ReadAll(t, store, "c", 10) {
				require.Equal(t, batch[len(batch)-1-i].Item.Body, item.Body)
			}
		},
	}
}
