package cqrsfeedtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

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
			} {
				_, err := store.Apply(t.Context(), []change{good, bad})
				require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
			}
			requireModel(t, store, model{"a": nil})
			version, err := store.ItemVersion(t.Context(), "good")
			require.NoError(t, err)
			require.Zero(t, version, "nothing of a refused batch is written")
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
