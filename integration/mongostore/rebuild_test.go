package mongostore_test

import (
	"testing"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

func TestRebuild(t *testing.T) {
	t.Parallel()
	cqrsfeedtest.TestRebuild(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
		t.Helper()
		return openFresh(t, mongostore.FeedStoreConfig{})
	})
}
