package cqrsfeedtest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
)

// awkwardNames returns names that a store could confuse, misread or cut: separators, wildcards, operators, quotes,
// look-alikes, prefixes of one another, and the longest ones.
func awkwardNames(most int) []string {
	names := []string{
		"|", "||", "%", "%7C", "%25", "%257C", "/", "//", "$", "$a", "$$a", "$set", ".", "..", "a.b", "a.$", " ", "  ", " a", "a ",
		"a", "a|", "|a", "a|b", "a||b", "a%", "a%7C", "a%7Cb", "a}", "a{", "ab", "a_", "a-", "A", "á", "a\u0301",
		"'", "\"", "`", "\\", "a'; DROP TABLE feeds; --", "{\"$gt\": \"\"}", "null", "true", "0", "0|8000000000000000|x",
		"🙂", "🙂🙂", "👩‍👩‍👧", "日本語", "\u0080", "\ufffd", "\u202e", "*", "?", "#", "&", "=", "+", ":", ";", "<b>", "(", "[a-z]", "^", "~",
	}
	return append(names,
		strings.Repeat("x", most), strings.Repeat("x", most-1), strings.Repeat("|", most), strings.Repeat("%", most),
		strings.Repeat("🙂", most/4))
}

func nameBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"any name of a feed is kept apart from the others": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var batch []change
			for i, name := range awkwardNames(cqrsfeed.MaxFeedLength) {
				batch = append(batch, state("first", int64(i+1), 0, name), // moves through all of them
					state("post-"+string(rune('a'+i%26))+string(rune('a'+i/26)), 1, i, name))
			}
			for _, c := range batch {
				apply(t, store, c)
			}
			feedmodel.Require(t, store, feedmodel.Fold(batch))
		},
		"an item in all feeds at once": func(t *testing.T, open openFeedStore) {
			store := open(t)
			names := awkwardNames(cqrsfeed.MaxFeedLength)
			history := []change{state("post-1", 1, 0, names...), state("post-1", 2, 0, names[:len(names)/2]...)}
			for i, c := range history {
				apply(t, store, c)
				feedmodel.Require(t, store, feedmodel.Fold(history[:i+1]))
			}
		},
		"any id of an item is kept apart from the others": func(t *testing.T, open openFeedStore) {
			store := open(t)
			var history []change
			for i, id := range awkwardNames(cqrsfeed.MaxIDLength) {
				history = append(history, state(id, 1, 0, "a", "a|b"), state(id, 2, 0, "a"))
				if i%2 == 0 {
					history = append(history, tombstone(id, 3, 0))
				}
			}
			apply(t, store, history...)
			for _, c := range history {
				apply(t, store, c)
			}
			feedmodel.Require(t, store, feedmodel.Fold(history))
		},
	}
}

func invalidBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"a batch with an invalid change is refused whole": func(t *testing.T, open openFeedStore) {
			store := open(t)
			good := state("good", 1, 0, "a")
			for name, bad := range map[string]change{
				"empty id":              state("", 1, 0, "a"),
				"long id":               state(strings.Repeat("x", cqrsfeed.MaxIDLength+1), 1, 0, "a"),
				"id that is not UTF-8":  state("a\xff", 1, 0, "a"),
				"id with a control":     state("a\nb", 1, 0, "a"),
				"id with NUL":           state("a\x00", 1, 0, "a"),
				"version 0":             state("bad", 0, 0, "a"),
				"negative version":      state("bad", -1, 0, "a"),
				"empty feed":            state("bad", 1, 0, "a", ""),
				"long feed":             state("bad", 1, 0, strings.Repeat("x", cqrsfeed.MaxFeedLength+1)),
				"feed that isn't UTF-8": state("bad", 1, 0, "a\xc3"),
				"feed with a control":   state("bad", 1, 0, "a\x7f"),
				"too many feeds":        state("bad", 1, 0, longNames("x", cqrsfeed.MaxFeeds+1)...),
				"unencodable body":      unencodable(state("bad", 1, 0, "a")),
			} {
				_, err := store.Apply(t.Context(), []change{good, bad})
				require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
			}
			feedmodel.Require(t, store, feedmodel.Feeds{"a": nil})
			version, err := store.ItemVersion(t.Context(), "good")
			require.NoError(t, err)
			require.Zero(t, version, "nothing of a refused batch is written")
		},
		"an item is in as many feeds as are allowed": func(t *testing.T, open openFeedStore) {
			store := open(t)
			// Their names are the longest, also where a store escapes them.
			history := []change{
				state("post", 1, 0, longNames("|", cqrsfeed.MaxFeeds)...),
				state("post", 2, 0, longNames("%", cqrsfeed.MaxFeeds)...),
				state("post", 3, 0, longNames("x", cqrsfeed.MaxFeeds)...),
				state("post", 4, 0, "a"),
			}
			for _, c := range history {
				c.Item.Body.Tags = nil // a body so large in each of the feeds would be another test
				apply(t, store, c)
			}
			page, err := store.Page(t.Context(), "a", "", 10)
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			for _, c := range history[:3] {
				page, err := store.Page(t.Context(), c.Feeds[cqrsfeed.MaxFeeds-1], "", 10)
				require.NoError(t, err)
				require.Empty(t, page.Items)
			}
		},
		"a page of an invalid feed is refused": func(t *testing.T, open openFeedStore) {
			store := open(t)
			for _, feed := range []string{"", "a\x00", "a\xff", strings.Repeat("x", cqrsfeed.MaxFeedLength+1)} {
				_, err := store.Page(t.Context(), feed, "", 1)
				require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "feed %q", feed)
			}
		},
	}
}

// longNames returns n names of feeds of the maximal length that repeat a character.
func longNames(character string, n int) []string {
	names := make([]string, n)
	for i := range names {
		end := strconv.Itoa(i)
		names[i] = strings.Repeat(character, cqrsfeed.MaxFeedLength-len(end)) + end
	}
	return names
}

// unencodable gives a change a body that cannot be encoded as JSON.
func unencodable(c change) change {
	c.Item.Body.Score = math.NaN()
	return c
}

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
