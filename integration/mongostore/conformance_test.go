package mongostore_test

import (
	"testing"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/feedtest"
)

func TestFeedStore(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]mongostore.FeedStoreConfig{
		"defaults":            {},
		"few counted at once": {Name: "few", CountAtOnce: 3},
		"counted by Recount":  {Name: "none", CountAtOnce: mongostore.Off},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			feedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
				t.Helper()
				return openFresh(t, config)
			})
		})
	}
}

func TestUnions(t *testing.T) {
	t.Parallel()
	feedtest.TestUnions(t, func(t *testing.T) cqrsfeed.UnionStore[cqrsfeedtest.Body] {
		t.Helper()
		return openFresh(t, mongostore.FeedStoreConfig{})
	})
}
