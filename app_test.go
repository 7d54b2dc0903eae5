package feedmill_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func TestAPageFollowsItsFeed(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags := n.add(t, app)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	mux.HandleFunc("GET /feeds", app.Handle(tags.List(nil), tags.Topic()))
	s := newSite(t, mux)
	run(t, app)

	stream, list := s.follow(t, "/feeds/go"), s.follow(t, "/feeds")
	empty := next[notePage](t, stream)
	assert.Equal(t, notePage{Feed: cqrsfeed.Feed{Name: "go"}, Items: []cqrsfeed.Item[note]{}}, empty)
	assert.Empty(t, next[feedmill.FeedList](t, list).Feeds)
	created := n.create(t, "n1", "go")
	assert.Equal(t, []cqrsfeed.Item[note]{created}, next[notePage](t, stream).Items)
	assert.Equal(t, "go", next[feedmill.FeedList](t, list).Feeds[0].Name)
	_, err := n.repo.Delete(t.Context(), "n1")
	require.NoError(t, err)
	assert.Empty(t, next[notePage](t, stream).Items)
}

func TestReadsSeeTheWriteOfTheirToken(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags := n.add(t, app)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	streams, err := app.Streams(ssestream.Stream{
		Pattern: "notes:{tag}", Topics: []string{tags.Topic()}, Adapter: tags.Pages("tag", nil),
	})
	require.NoError(t, err)
	mux.HandleFunc("GET /streams", streams)
	s := newSite(t, mux)
	run(t, app)

	for i := range 20 {
		token := n.create(t, fmt.Sprint("n", i), "go").Token("note").String()
		if i%2 == 0 {
			page := decode[notePage](t, s.get(t, "/feeds/go", cqrsfeed.TokenHeader, token).body)
			require.Len(t, page.Items, i+1)
		} else {
			require.Len(t, next[notePage](t, s.follow(t, "/streams?stream=notes:go&feedmill_token="+token)).Items, i+1)
		}
	}
	bad := s.get(t, "/feeds/go?feedmill_token=x")
	assert.Equal(t, http.StatusBadRequest, bad.status)
	assert.Contains(t, bad.body, "bad token")
}

// countingStore counts loads of pages.
type countingStore struct {
	cqrsfeed.FeedStore[note]

	loads atomic.Int64
}

func (s *countingStore) Page(ctx context.Context, feed, cursor string, limit int) (notePage, error) {
	s.loads.Add(1)
	return s.FeedStore.Page(ctx, feed, cursor, limit)
}

func TestAChangeIsLoadedOnceForAllHandlers(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	store := &countingStore{FeedStore: n.feeds}
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Items: feedmill.ItemsElsewhere[note]("note"), Store: store, FeedsOf: tagOf})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	mux.HandleFunc("GET /again/{tag}", tags.Handler("tag"))
	streams, err := app.Streams(ssestream.Stream{
		Pattern: "notes:{tag}", Topics: []string{tags.Topic()}, Adapter: tags.Pages("tag", nil),
	})
	require.NoError(t, err)
	mux.HandleFunc("GET /streams", streams)
	s := newSite(t, mux)
	run(t, app)
	var followers []*ssestreamtest.Stream
	for _, path := range []string{"/feeds/go", "/again/go", "/streams?stream=notes:go"} {
		followers = append(followers, s.follow(t, path))
		next[notePage](t, followers[len(followers)-1])
	}
	before := store.loads.Load()
	n.create(t, "n1", "go")
	for _, follower := range followers {
		assert.Len(t, next[notePage](t, follower).Items, 1)
	}
	assert.EqualValues(t, 1, store.loads.Load()-before)
}

// TestEverySpellingOfAFeed leads to the feed, by its own URL and on a stream.
func TestEverySpellingOfAFeed(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{
		Items: n.repo, Store: n.feeds, FeedsOf: tagOf, FeedName: strings.ToLower,
	})
	require.NoError(t, err)
	streams, err := app.Streams(ssestream.Stream{Pattern: "notes:{tag}", Topics: []string{tags.Topic()}, Adapter: tags.Pages("tag", nil)})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	mux.HandleFunc("GET /streams", streams)
	s := newSite(t, mux)
	run(t, app)
	followers := []*ssestreamtest.Stream{s.follow(t, "/feeds/GO"), s.follow(t, "/streams?stream=notes:Go")}
	for _, follower := range followers {
		assert.Equal(t, "go", next[notePage](t, follower).Feed.Name)
	}
	n.create(t, "n1", "go")
	for _, follower := range followers {
		assert.Len(t, next[notePage](t, follower).Items, 1)
	}
}

// TestOlderPagesAreReadByCursor: a stream follows the first page only.
func TestOlderPagesAreReadByCursor(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{
		Items: n.repo, Store: n.feeds, FeedsOf: tagOf, PageSize: 2,
		View: func(n cqrsfeed.Item[note]) any { return n.Body.Text },
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	s := newSite(t, mux)
	run(t, app)
	var token string
	for _, id := range []string{"a", "b", "c"} {
		token = n.create(t, id, "go").Token("note").String()
	}

	type page struct {
		Feed  cqrsfeed.Feed
		Items []string
		Next  string
	}
	first := decode[page](t, s.get(t, "/feeds/go", cqrsfeed.TokenHeader, token).body)
	assert.Equal(t, []string{"text of c", "text of b"}, first.Items)
	assert.EqualValues(t, 3, first.Feed.Count)
	second := decode[page](t, s.get(t, "/feeds/go?cursor="+first.Next).body)
	assert.Equal(t, []string{"text of a"}, second.Items)
	assert.Empty(t, second.Next)

	for path, text := range map[string]string{"/feeds/go?cursor=x": "bad cursor", "/feeds/%FF": "invalid argument: feed name"} {
		refused := s.get(t, path)
		assert.Equal(t, http.StatusBadRequest, refused.status)
		assert.Equal(t, "application/problem+json", refused.header.Get("Content-Type"))
		assert.Contains(t, refused.body, text)
		assert.NotContains(t, refused.body, "sqlitestore", "the inside is for the log")
	}
	assert.Equal(t, http.StatusBadRequest, s.get(t, "/feeds/go?cursor="+first.Next, "Accept", "text/event-stream").status)
}

func TestSeveralKindsOfItems(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags := n.add(t, app)
	// Users have a store that applies nothing, so nothing that needs their tokens would end.
	users, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Items: feedmill.ItemsElsewhere[note]("user"), Store: stuckStore{n.feeds}, FeedsOf: tagOf})
	require.NoError(t, err)
	streams, err := app.Streams(
		ssestream.Stream{Pattern: "notes:{tag}", Topics: []string{tags.Topic()}, Adapter: tags.Pages("tag", nil)},
		ssestream.Stream{Pattern: "users:{team}", Topics: []string{users.Topic()}, Adapter: users.Pages("team", nil)},
	)
	require.NoError(t, err)
	s := newSite(t, streams)
	run(t, app)

	written := n.create(t, "n1", "go")
	fresh := s.get(t, "/?stream=notes:go&feedmill_token="+written.Token("note").String())
	assert.Contains(t, fresh.body, "text of n1")
	assert.Empty(t, fresh.header.Get(cqrsfeed.PendingHeader))
	late := written.Token("user").String()
	assert.Equal(t, late, s.get(t, "/?stream=users:go&feedmill_token="+late).header.Get(cqrsfeed.PendingHeader))
	orders := written.Token("order").String()
	assert.Empty(t, s.get(t, "/?stream=users:go&feedmill_token="+orders).header.Get(cqrsfeed.PendingHeader), "no store has orders, so no read waits")
}

// stuckStore never has a write.
type stuckStore struct{ cqrsfeed.FeedStore[note] }

func (stuckStore) ItemVersion(context.Context, string) (int64, error) { return 0, nil }

// TestOwnTables is an application without items: its own SQL, a message in the same transaction, and a Load.
func TestOwnTables(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "x.db"))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, n.store.InTx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "CREATE TABLE orders (id TEXT PRIMARY KEY, state TEXT)")
		return err
	}))
	type order struct{ State string }
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	var mu sync.Mutex
	states := map[string]string{}
	orders, err := ssestream.AdapterBuilder[string, order]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("id"), nil },
		EventKeys:  func(id string) []string { return []string{id} },
		Load: func(_ context.Context, id string) (order, error) {
			mu.Lock()
			defer mu.Unlock()
			state, ok := states[id]
			if !ok {
				return order{}, fmt.Errorf("load order: %w", cqrsfeed.ErrNotFound)
			}
			return order{state}, nil
		},
	}.Build()
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", app.Handle(orders, "order-changed"))
	s := newSite(t, mux)
	run(t, app)
	set := func(id, state string) {
		payload, err := json.Marshal(id)
		require.NoError(t, err)
		require.NoError(t, n.store.InTx(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO orders VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state", id, state)
			mu.Lock()
			states[id] = state
			mu.Unlock()
			return errors.Join(err, n.store.Outbox().Add(t.Context(), tx, "order-changed", message.NewMessage(id+state, payload)))
		}))
	}

	missing := s.get(t, "/orders/1")
	assert.Equal(t, http.StatusNotFound, missing.status, "by the error of Load")
	assert.Contains(t, missing.body, "item not found")
	set("1", "paid")
	stream := s.follow(t, "/orders/1")
	require.Equal(t, order{"paid"}, next[order](t, stream))
	set("1", "sent")
	require.Equal(t, order{"sent"}, next[order](t, stream))
}
