package feedtest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func invalidBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"a batch with an invalid change is refused whole": func(t *testing.T, store feedStore) {
			good := model.State("good", 1, 0, "a")
			for name, bad := range map[string]model.Change{
				"empty id":              model.State("", 1, 0, "a"),
				"long id":               model.State(strings.Repeat("x", limits.MaxIDLength+1), 1, 0, "a"),
				"id that is not UTF-8":  model.State("a\xff", 1, 0, "a"),
				"id with a control":     model.State("a\nb", 1, 0, "a"),
				"id with NUL":           model.State("a\x00", 1, 0, "a"),
				"version 0":             model.State("bad", 0, 0, "a"),
				"negative version":      model.State("bad", -1, 0, "a"),
				"negative rule":         model.ByRule(-1, model.State("bad", 1, 0, "a")),
				"empty feed":            model.State("bad", 1, 0, "a", ""),
				"long feed":             model.State("bad", 1, 0, strings.Repeat("x", limits.MaxFeedLength+1)),
				"feed that isn't UTF-8": model.State("bad", 1, 0, "a\xc3"),
				"feed with a control":   model.State("bad", 1, 0, "a\x7f"),
				"too many feeds":        model.State("bad", 1, 0, longNames("x", limits.MaxFeeds+1)...),
				"unencodable body":      unencodable(model.State("bad", 1, 0, "a")),
				"too large a body":      withText(model.State("bad", 1, 0, "a"), strings.Repeat("x", limits.MaxEventBytes)),
				"created too late":      createdAt(model.State("bad", 1, 0, "a"), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)),
				"created too early":     createdAt(model.State("bad", 1, 0, "a"), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)),
			} {
				_, err := store.Apply(t.Context(), []model.Change{good, bad})
				require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
			}
			model.Require(t, store, model.Feeds{"a": nil})
			model.RequireVersion(t, store, "good", 0) // nothing of a refused batch is written
		},
		"an item is in as many feeds as are allowed": func(t *testing.T, store feedStore) {
			// Their names are the longest, also where a store escapes them.
			history := []model.Change{
				model.State("post", 1, 0, longNames("|", limits.MaxFeeds)...),
				model.State("post", 2, 0, longNames("%", limits.MaxFeeds)...),
				model.State("post", 3, 0, longNames("x", limits.MaxFeeds)...),
				model.State("post", 4, 0, "a"),
			}
			for _, c := range history {
				c.Item.Body.Tags = nil // keep the body small
				model.Apply(t, store, c)
			}
			page := model.Page(t, store, "a", "", 10)
			require.Len(t, page.Items, 1)
			for _, c := range history[:3] {
				page := model.Page(t, store, c.Feeds[limits.MaxFeeds-1], "", 10)
				require.Empty(t, page.Items)
			}
		},
		"a page of an invalid feed is refused": func(t *testing.T, store feedStore) {
			for _, feed := range []string{"", "a\x00", "a\xff", strings.Repeat("x", limits.MaxFeedLength+1)} {
				_, err := store.Page(t.Context(), feed, "", 1)
				require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "feed %q", feed)
			}
		},
	}
}

func unencodable(c model.Change) model.Change {
	c.Item.Body.Score = math.NaN()
	return c
}
