package feedmill_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// TestTheListOfFeedsIsPaged: however many feeds there are, and whatever their names, each part of the list fits into a
// frame, and together the parts have every feed once.
func TestTheListOfFeedsIsPaged(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	feeds, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Items: n.repo, Store: n.feeds, FeedsOf: feedsOfMany})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds", app.Handle(feeds.List(nil), feeds.Topic()))
	s := newSite(t, mux)
	run(t, app)
	var want []string
	query := url.Values{}
	for _, id := range []string{"a", "b", "c"} {
		created := n.create(t, id, "go")
		want = append(want, feedsOfMany(created)...)
		query.Add("feedmill_token", created.Token("note").String())
	}

	var names []string
	require.Eventually(t, func() bool {
		return s.get(t, "/feeds?"+query.Encode()).header.Get(cqrsfeed.PendingHeader) == ""
	}, patience, time.Millisecond, "all are written")
	for cursor := ""; ; {
		answer := s.get(t, "/feeds?cursor="+url.QueryEscape(cursor))
		require.Equal(t, http.StatusOK, answer.status)
		require.Less(t, len(answer.body), 1<<20, "it fits into a frame")
		list := decode[feedmill.FeedList](t, answer.body)
		for _, feed := range list.Feeds {
			names = append(names, feed.Name)
		}
		if cursor = list.Next; cursor == "" {
			break
		}
		require.Equal(t, names[len(names)-1], cursor)
		require.Len(t, list.Feeds, 200)
	}
	require.Equal(t, want, names)

	state := next[feedmill.FeedList](t, s.follow(t, "/feeds"))
	assert.Equal(t, want[199], state.Next, "a stream follows the beginning")
	assert.Equal(t, want[7], decode[feedmill.FeedList](t, s.get(t, "/feeds?cursor=a0007").body).Feeds[0].Name,
		"a list begins after any name")
	for path, accept := range map[string]string{"/feeds?cursor=%0A": "application/json", "/feeds?cursor=a": "text/event-stream"} {
		refused := s.get(t, path, "Accept", accept)
		assert.Equal(t, http.StatusBadRequest, refused.status)
		assert.Contains(t, refused.body, `"field":"cursor"`)
	}
}

// feedsOfMany are 250 feeds with names that are long as JSON: those of three notes are over a megabyte.
func feedsOfMany(n cqrsfeed.Item[note]) []string {
	names := make([]string, 250)
	for i := range names {
		name := fmt.Sprintf("%s%04d", n.ID, i)
		names[i] = name + strings.Repeat("<", limits.MaxFeedLength-len(name))
	}
	return names
}

// TestPagesFitIntoAFrame: a feed of large items is followed like any other.
func TestPagesFitIntoAFrame(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", n.add(t, app).Handler("tag"))
	s := newSite(t, mux)
	run(t, app)
	stream := s.follow(t, "/feeds/go")
	state := next[notePage](t, stream)
	for i := range 36 {
		_, err := n.repo.Create(t.Context(), fmt.Sprintf("n%02d", i), note{Text: strings.Repeat("日", 9990), Tag: "go"})
		require.NoError(t, err)
		for state.Feed.Count <= int64(i) {
			state = next[notePage](t, stream)
		}
	}
	require.Equal(t, "n35", state.Items[0].ID)
	shown := len(state.Items)
	require.Less(t, shown, 36)
	for cursor := state.Next; cursor != ""; {
		page := decode[notePage](t, s.get(t, "/feeds/go?cursor="+cursor).body)
		shown, cursor = shown+len(page.Items), page.Next
	}
	require.Equal(t, 36, shown, "the others are on the pages that follow")
}
