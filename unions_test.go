package feedmill_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// serveUnions runs the app and serves unions of its feeds: at /feeds, and at /streams as one of several streams.
func serveUnions(t *testing.T, n notes, app *feedmill.App) site {
	t.Helper()
	tags := n.add(t, app)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds", tags.UnionHandler("tags"))
	streams, err := app.Streams(ssestream.Stream{
		Pattern: "tags:{tags}", Topics: []string{tags.Topic()}, Adapter: tags.Unions("tags", nil),
	})
	require.NoError(t, err)
	mux.HandleFunc("GET /streams", streams)
	s := newSite(t, mux)
	run(t, app)
	return s
}

// TestAUnionFollowsItsFeeds on a stream of its own and on one of several, by plain requests, and by tokens.
func TestAUnionFollowsItsFeeds(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	s := serveUnions(t, n, app)

	mine, other := s.follow(t, "/feeds?tags=go,sse"), s.follow(t, "/feeds?tags=nats&tags=sse")
	several := s.follow(t, "/streams?stream=tags:sse,go,sse")
	for _, stream := range []*ssestreamtest.Stream{mine, other, several} {
		assert.Empty(t, next[notePage](t, stream).Items)
	}
	assert.EqualValues(t, 2, app.Router().Stats().Rooms, "the same names, in any order, are one room")
	first := n.create(t, "n1", "sse")
	for _, stream := range []*ssestreamtest.Stream{mine, other, several} {
		assert.Equal(t, []cqrsfeed.Item[note]{first}, next[notePage](t, stream).Items)
	}
	second := n.create(t, "n2", "go")
	for _, stream := range []*ssestreamtest.Stream{mine, several} {
		assert.Equal(t, []cqrsfeed.Item[note]{second, first}, next[notePage](t, stream).Items)
	}
	page := decode[notePage](t, s.get(t, "/feeds?tags=nats,sse").body)
	assert.Equal(t, []cqrsfeed.Item[note]{first}, page.Items)

	for i := range 10 {
		token := n.create(t, fmt.Sprint("more", i), "go").Token("note").String()
		path := []string{"/feeds?tags=sse,go", "/streams?stream=tags:go,sse"}[i%2] + "&feedmill_token=" + url.QueryEscape(token)
		require.Len(t, next[notePage](t, s.follow(t, path)).Items, i+3, "a stream begins with the write of its token")
	}
}

// TestAUnionOfManyFeeds is one room and one load for each change, on a stream of its own and on one of several.
func TestAUnionOfManyFeeds(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox(), Router: ssestream.RouterConfig{Resync: ssestream.Off}})
	s := serveUnions(t, n, app)
	many := make([]string, limits.MaxUnion)
	for i := range many {
		many[i] = fmt.Sprintf("usual-name-%d", i)
	}
	names := url.QueryEscape(strings.Join(many, ","))
	timelines := []*ssestreamtest.Stream{s.follow(t, "/feeds?tags="+names), s.follow(t, "/streams?stream=tags:"+names)}
	for _, timeline := range timelines {
		require.Empty(t, next[notePage](t, timeline).Items)
	}
	began := app.Router().Stats()
	assert.EqualValues(t, 1, began.Rooms)
	assert.EqualValues(t, limits.MaxUnion, began.Dependencies)
	for i, name := range many[:10] {
		created := n.create(t, fmt.Sprint("n", i), name)
		for _, timeline := range timelines {
			require.Equal(t, created, next[notePage](t, timeline).Items[0])
		}
		require.Equal(t, began.Loads+int64(i)+1, app.Router().Stats().Loads)
	}
}

// TestAUnionOfOneFeed depends on nothing but its own key.
func TestAUnionOfOneFeed(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds", n.add(t, app).UnionHandler("tags"))
	s := newSite(t, mux)
	run(t, app)
	stream := s.follow(t, "/feeds?tags=go")
	next[notePage](t, stream)
	assert.Zero(t, app.Router().Stats().Dependencies)
	n.create(t, "n1", "go")
	assert.Len(t, next[notePage](t, stream).Items, 1)
}

func TestUnionsThatAreRefused(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags := n.add(t, app)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds", tags.UnionHandler("tags"))
	s := newSite(t, mux)
	run(t, app)
	none := s.get(t, "/feeds")
	assert.Equal(t, http.StatusOK, none.status)
	assert.JSONEq(t, `{"feeds":[],"items":[],"next":""}`, none.body)
	many := make([]string, limits.MaxUnion+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for _, names := range []string{strings.Join(many, ","), "go,%00", "go&cursor=x"} {
		assert.Equal(t, http.StatusBadRequest, s.get(t, "/feeds?tags="+names).status, "%.20s", names)
	}
}
