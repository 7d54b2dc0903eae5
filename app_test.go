package feedmill_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
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
	assert.Empty(t, next[[]cqrsfeed.Feed](t, list))
	created := n.create(t, "n1", "go")
	assert.Equal(t, []cqrsfeed.Item[note]{created}, next[notePage](t, stream).Items)
	assert.Equal(t, "go", next[[]cqrsfeed.Feed](t, list)[0].Name)
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
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Name: "note", Store: store, FeedsOf: tagOf})
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

// TestOlderPagesAreReadByCursor: a stream follows the first page only.
func TestOlderPagesAreReadByCursor(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{
		Name: "note", Store: n.feeds, FeedsOf: tagOf, PageSize: 2,
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
	users, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Name: "user", Store: stuckStore{n.feeds}, FeedsOf: tagOf})
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
	start := time.Now()
	assert.Empty(t, s.get(t, "/?stream=users:go&feedmill_token="+written.Token("order").String()).header.Get(cqrsfeed.PendingHeader))
	assert.Less(t, time.Since(start), time.Second, "no store has orders")
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

func TestATopicThatNobodyTakesWaits(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags := n.add(t, app)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	s := newSite(t, mux)
	run(t, app)
	require.NoError(t, n.store.InTx(t.Context(), func(tx *sql.Tx) error {
		return n.store.Outbox().Add(t.Context(), tx, "of-the-next-release", message.NewMessage("1", nil))
	}))
	for _, id := range []string{"a", "b", "c"} {
		token := n.create(t, id, "go").Token("note").String()
		require.Empty(t, s.get(t, "/feeds/go", cqrsfeed.TokenHeader, token).header.Get(cqrsfeed.PendingHeader), "other topics are taken")
	}
	require.Eventually(t, func() bool {
		backlog, err := n.store.Outbox().Backlog(t.Context())
		return err == nil && backlog.Waiting == 1 && backlog.Parked == 0
	}, patience, time.Millisecond)

	taken := make(chan struct{}, 1)
	adapter, err := ssestream.AdapterBuilder[any, string]{
		RequestKey: func(*http.Request) (string, error) { return "", nil },
		Decode:     func(*message.Message) (any, error) { return nil, nil },
		EventKeys: func(any) []string {
			taken <- struct{}{}
			return nil
		},
		Load: func(context.Context, string) (string, error) { return "", nil },
	}.Build()
	require.NoError(t, err)
	app.Handle(adapter, "of-the-next-release")
	select {
	case <-taken:
	case <-time.After(patience):
		require.Fail(t, "it is not published to the handler that came later")
	}
}

// TestARefusedEventIsParkedInTheOutbox, so that it is there after a restart.
func TestARefusedEventIsParkedInTheOutbox(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notes.db")
	n := openNotes(t, file) // without CheckFeeds
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.add(t, app)
	stop := run(t, app)
	n.create(t, "bad", "")
	n.create(t, "good", "go")
	require.Eventually(t, func() bool {
		page, err := n.feeds.Page(t.Context(), "go", "", 0)
		backlog, err2 := n.store.Outbox().Backlog(t.Context())
		return err == nil && err2 == nil && page.Feed.Count == 1 && backlog.Parked == 1 && backlog.Waiting == 0
	}, patience, 5*time.Millisecond)
	stop()

	parked, err := openNotes(t, file).store.Outbox().Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 1)
	assert.Contains(t, parked[0].Reason, "feed name is empty")
	item, err := cqrsfeed.DecodeItem[note](parked[0].Message)
	require.NoError(t, err)
	assert.Equal(t, "bad", item.ID)

	checked := newNotes(t, cqrsfeed.CheckFeeds(tagOf))
	_, err = checked.repo.Create(t.Context(), "bad", note{})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "better not accepted at all")
}

// outage is a projection that fails a number of times, and then applies everything.
type outage struct {
	failures atomic.Int64
	applied  atomic.Int64
}

func (o *outage) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	if o.failures.Add(-1) >= 0 {
		return nil, errors.New("the store is away")
	}
	o.applied.Add(int64(len(batch)))
	return nil, nil
}

// TestWhatOneProjectionRefusesReachesTheOthers, although these fail when it is refused first.
func TestWhatOneProjectionRefusesReachesTheOthers(t *testing.T) {
	t.Parallel()
	n := openNotes(t, filepath.Join(t.TempDir(), "notes.db")) // without CheckFeeds
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.add(t, app)
	other := &outage{}
	other.failures.Store(3)
	require.NoError(t, app.AddProjection(projector.Config{Name: "other", Topics: cqrsfeed.TopicsOf("note").All(), Projection: other}))
	run(t, app)
	n.create(t, "bad", "")
	require.Eventually(t, func() bool {
		backlog, err := n.store.Outbox().Backlog(t.Context())
		return err == nil && backlog.Parked == 1
	}, patience, 5*time.Millisecond)
	assert.Positive(t, other.applied.Load(), "it was parked before all others had it")
}

// refusing is a projection that refuses one item.
type refusing struct {
	id string

	mu      sync.Mutex
	applied map[string]bool
}

func (p *refusing) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for _, msg := range batch {
		item, err := cqrsfeed.DecodeItem[note](msg)
		if err != nil || item.ID == p.id {
			return nil, &cqrsfeed.RefusedError{Message: msg, Reason: errors.Join(err, errors.New("not this one"))}
		}
		ids = append(ids, item.ID)
	}
	for _, id := range ids {
		p.applied[id] = true
	}
	return nil, nil
}

// TestProjectionsThatRefuseDifferentMessagesApplyTheRest: what is parked comes to no projection any more.
func TestProjectionsThatRefuseDifferentMessagesApplyTheRest(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	first, second := &refusing{id: "a", applied: map[string]bool{}}, &refusing{id: "b", applied: map[string]bool{}}
	for name, p := range map[string]projector.Projection{"first": first, "second": second} {
		require.NoError(t, app.AddProjection(projector.Config{Name: name, Topics: cqrsfeed.TopicsOf("note").All(), Projection: p}))
	}
	for _, id := range []string{"a", "b", "c"} {
		n.create(t, id, "go") // one batch
	}
	stop := run(t, app)
	require.Eventually(t, func() bool {
		backlog, err := n.store.Outbox().Backlog(t.Context())
		return err == nil && backlog.Parked == 2 && backlog.Waiting == 0
	}, patience, 5*time.Millisecond)
	stop()
	assert.Equal(t, map[string]bool{"b": true, "c": true}, first.applied)
	assert.Equal(t, map[string]bool{"a": true, "c": true}, second.applied)
}

// gate is a projection that waits until it is open.
type gate struct {
	open    chan struct{}
	entered chan struct{}
	applied atomic.Int64
}

func (g *gate) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	select {
	case g.entered <- struct{}{}:
	default:
	}
	select {
	case <-g.open:
		g.applied.Add(int64(len(batch)))
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestASlowReadModelDoesNotBlockWriters: the outbox's rows are not locked while they are applied.
func TestASlowReadModelDoesNotBlockWriters(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	slow := &gate{open: make(chan struct{}), entered: make(chan struct{}, 1)}
	require.NoError(t, app.AddProjection(projector.Config{
		Name: "slow", Topics: cqrsfeed.TopicsOf("note").All(), Projection: slow, UpdatesTopic: "slow-updated",
	}))
	run(t, app)
	n.create(t, "first", "go")
	<-slow.entered
	start := time.Now()
	for i := range 50 {
		n.create(t, fmt.Sprint("n", i), "go")
	}
	assert.Less(t, time.Since(start), 3*time.Second, "writers waited for the projection, which gives up after 5 seconds")
	close(slow.open)
	require.Eventually(t, func() bool { return slow.applied.Load() >= 51 }, patience, 5*time.Millisecond)
}

// updates is a projection that announces every message with an event of its own.
type updates struct{ err error }

func (u updates) Apply(_ context.Context, batch []*message.Message) (out []*message.Message, err error) {
	for range batch {
		out = append(out, message.NewMessage("u", []byte(`"all"`)))
	}
	return out, u.err
}

// TestUpdatesReachOtherProjections, as they would over a broker.
func TestUpdatesReachOtherProjections(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	last := &gate{open: make(chan struct{})}
	close(last.open)
	topics := cqrsfeed.TopicsOf("note").All()
	require.NoError(t, app.AddProjection(projector.Config{Name: "a", Topics: topics, Projection: updates{}, UpdatesTopic: "a-updated"}))
	require.NoError(t, app.AddProjection(projector.Config{Name: "b", Topics: []string{"a-updated"}, Projection: last, UpdatesTopic: "b-updated"}))
	run(t, app)
	n.create(t, "n1", "go")
	require.Eventually(t, func() bool { return last.applied.Load() == 1 }, patience, 5*time.Millisecond)
}

// TestAStopLosesNothing: what was accepted is in its feed, or in the outbox for the next start.
func TestAStopLosesNothing(t *testing.T) {
	t.Parallel()
	for range 20 {
		stopWhileWriting(t)
	}
}

func stopWhileWriting(t *testing.T) {
	t.Helper()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.add(t, app)
	stop := run(t, app)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	var accepted atomic.Int64
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				_, err := n.repo.Create(t.Context(), fmt.Sprintf("n%d-%d", w, i), note{Tag: "go"})
				if assert.NoError(t, err) && accepted.Add(1) == 20 {
					cancel()
				}
			}
		})
	}
	<-ctx.Done()
	stop()
	writers.Wait()

	again := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.add(t, again)
	stop = run(t, again)
	defer stop()
	require.Eventually(t, func() bool {
		page, err := n.feeds.Page(t.Context(), "go", "", 1)
		return err == nil && page.Feed.Count == accepted.Load()
	}, patience, time.Millisecond, "%d notes were accepted", accepted.Load())
}

// logged collects what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) contains(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

//nolint:paralleltest // it sets the default logger
func TestABrokenLoadIsLoggedWithoutAnyConfiguration(t *testing.T) {
	log := &logged{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	n := newNotes(t)
	app, err := feedmill.New(feedmill.Config{Outbox: n.store.Outbox()}, nil)
	require.NoError(t, err)
	broken, err := ssestream.AdapterBuilder[string, string]{
		RequestKey: func(*http.Request) (string, error) { return "key", nil },
		EventKeys:  func(string) []string { return nil },
		Load:       func(context.Context, string) (string, error) { return "", errors.New("no such column") },
	}.Build()
	require.NoError(t, err)
	s := newSite(t, app.Handle(broken, "topic"))
	run(t, app)
	s.follow(t, "/")
	require.Eventually(t, func() bool { return log.contains("no such column") }, patience, 5*time.Millisecond)
}
