package feedtest

import (
	"strings"
	"testing"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
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

func nameBehaviours() map[string]behaviour {
	return map[string]behaviour{
		"any name of a feed is kept apart from the others": func(t *testing.T, store feedStore) {
			var batch []model.Change
			for i, name := range awkwardNames(limits.MaxFeedLength) {
				batch = append(batch, model.State("first", int64(i+1), 0, name), // moves through all of them
					model.State("post-"+string(rune('a'+i%26))+string(rune('a'+i/26)), 1, i, name))
			}
			for _, c := range batch {
				model.Apply(t, store, c)
			}
			model.Require(t, store, model.Fold(batch))
		},
		"an item in all feeds at once": func(t *testing.T, store feedStore) {
			names := awkwardNames(limits.MaxFeedLength)
			history := []model.Change{model.State("post-1", 1, 0, names...), model.State("post-1", 2, 0, names[:len(names)/2]...)}
			for i, c := range history {
				model.Apply(t, store, c)
				model.Require(t, store, model.Fold(history[:i+1]))
			}
		},
		"any id of an item is kept apart from the others": func(t *testing.T, store feedStore) {
			var history []model.Change
			for i, id := range awkwardNames(limits.MaxIDLength) {
				history = append(history, model.State(id, 1, 0, "a", "a|b"), model.State(id, 2, 0, "a"))
				if i%2 == 0 {
					history = append(history, model.Tombstone(id, 3, 0))
				}
			}
			model.Apply(t, store, history...)
			for _, c := range history {
				model.Apply(t, store, c)
			}
			model.Require(t, store, model.Fold(history))
		},
	}
}
