package feedmill_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// TestFeedsOfOneTopic follow a repository whose events have one topic.
func TestFeedsOfOneTopic(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	store, err := sqlitestore.New(n.db, sqlitestore.Config{Topics: cqrsfeed.OneTopicOf})
	require.NoError(t, err)
	repository, err := sqlitestore.NewRepository[note](store, "note")
	require.NoError(t, err)
	app := newApp(t, feedmill.Config{Outbox: store.Outbox()})
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Items: repository, Store: n.feeds, FeedsOf: tagOf})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	s := newSite(t, mux)
	run(t, app)
	for _, id := range []string{"a", "b"} {
		_, err := repository.Create(t.Context(), id, note{Tag: "go"})
		require.NoError(t, err)
	}
	item, err := repository.Delete(t.Context(), "a")
	require.NoError(t, err)
	page := decode[notePage](t, s.get(t, "/feeds/go", cqrsfeed.TokenHeader, item.Token("note").String()).body)
	require.Len(t, page.Items, 1)
	assert.Equal(t, "b", page.Items[0].ID)
}
