package feedtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// unencodable gives a change a body that cannot be encoded as JSON.
func withText(c model.Change, text string) model.Change {
	c.Item.Body.Text = text
	return c
}

func createdAt(c model.Change, at time.Time) model.Change {
	c.Item.CreatedAt = at
	return c
}

func valueBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"times keep their microseconds and their order": func(t *testing.T, store feedStore) {
			var batch []model.Change
			for i, created := range []time.Time{
				{}, // year 1
				time.Date(1883, 11, 18, 12, 3, 58, 999_999_000, time.UTC),
				time.Unix(0, 0).Add(-time.Microsecond), time.Unix(0, 0), time.Unix(0, 0).Add(time.Microsecond),
				model.Epoch(), model.Epoch().Add(time.Microsecond), model.Epoch().Add(2 * time.Microsecond),
				time.Date(9999, 12, 31, 23, 59, 59, 999_998_000, time.UTC),
				time.Date(2024, 7, 1, 0, 0, 0, 0, time.FixedZone("east", 5*3600)),
			} {
				c := model.State(fmt.Sprintf("post-%d", 9-i), 1, 0, "go")
				c.Item.CreatedAt = created
				c.Item.UpdatedAt = created.Add(time.Microsecond)
				batch = append(batch, c)
			}
			model.Apply(t, store, batch...)
			model.Require(t, store, model.Fold(batch))
		},
		"bodies are kept exactly": func(t *testing.T, store feedStore) {
			var batch []model.Change
			for i, text := range []string{
				"", " ", "null", "\x00\x01\x1f", "\u2028\u2029", "<script>alert('&amp;')</script>", "\\u0000 \\", "\"'`",
				"日本語 🙂 👩‍👩‍👧 \u202e", "\ufeff\ufffe", "$set.a|b%", strings.Repeat("long 🙂 ", 100_000/10),
			} {
				c := model.State(fmt.Sprintf("post-%02d", i), 1, i, "go", "copy")
				c.Item.Body = model.Body{Text: text, Tags: []string{text, ""}}
				batch = append(batch, c)
			}
			batch[0].Item.Body.Tags = nil
			model.Apply(t, store, batch...)
			model.Require(t, store, model.Fold(batch))
		},
		"the largest items that a repository can accept are kept": func(t *testing.T, store feedStore) {
			many := model.State("large", 1, 0, longNames("x", limits.MaxFeeds)...)
			many.Item.Body.Tags = nil
			others := many
			others.Item.Version, others.Feeds = 2, longNames("y", limits.MaxFeeds)
			last := model.State("large", 3, 0, "a")
			last.Item.Body = model.Body{Text: strings.Repeat("x", limits.MaxEventBytes-len(`{"text":"","tags":null}`))}
			model.Apply(t, store, many)
			model.Apply(t, store, others)
			model.Apply(t, store, last)
			page := model.Page(t, store, "a", "", 10)
			require.Len(t, page.Items, 1)
			require.True(t, model.SameText(last.Item.Body.Text, page.Items[0].Body.Text), "the text came back otherwise")
		},
		"a batch of large bodies": func(t *testing.T, store feedStore) {
			var batch []model.Change
			for i := range 60 {
				c := model.State(fmt.Sprintf("post-%02d", i), 1, i, "a", "b", "c", "d")
				c.Item.Body.Text = strings.Repeat(string(rune('a'+i%26)), 100<<10)
				batch = append(batch, c)
			}
			model.Apply(t, store, batch...)
			model.RequireCounts(t, store, model.Fold(batch))
			for i, item := range model.ReadAll(t, store, "c", 10) {
				require.Equal(t, batch[len(batch)-1-i].Item.Body, item.Body)
			}
		},
	}
}
