package cqrsfeedtest

import (
	"strings"
	"testing"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// awkwardNames are names that a store could mix up, misread or cut: separators, wildcards, operators,
// quotes, look-alikes, beginnings of one another, and the longest there are.
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
			requireModel(t, store, fold(batch))
		},
		"an item in all feeds at once": func(t *testing.T, open openFeedStore) {
			store := open(t)
			names := awkwardNames(cqrsfeed.MaxFeedLength)
			history := []change{state("post-1", 1, 0, names...), state("post-1", 2, 0, names[:len(names)/2]...)}
			for i, c := range history {
				apply(t, store, c)
				requireModel(t, store, fold(history[:i+1]))
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
			requireModel(t, store, fold(history))
		},
	}
}
