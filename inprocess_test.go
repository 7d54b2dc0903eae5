package feedmill_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/ssestream"
)

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
	n := openNotes(t, file)
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
}

// TestARepositoryRefusesWhatItsFeedsWouldRefuse without being told.
func TestARepositoryRefusesWhatItsFeedsWouldRefuse(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.create(t, "one", "go")
	_, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Items: n.repo, Store: n.feeds, FeedsOf: tagOf})
	require.NoError(t, err)
	_, err = n.repo.Create(t.Context(), "bad", note{})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = n.repo.Update(t.Context(), "one", func(body *note) error {
		body.Tag = "a\nb"
		return nil
	})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	n.create(t, "good", "go")
}

// feedNames is a projection that sends the feeds that are announced to it.
type feedNames struct {
	projector.NoSweep

	names chan<- string
}

func (f feedNames) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	for _, msg := range batch {
		var event cqrsfeed.FeedUpdated
		if err := json.Unmarshal(msg.Payload, &event); err != nil {
			return nil, err
		}
		f.names <- event.Feed
	}
	return nil, nil
}

// TestARefusedUpdateLeavesTheFeed: the text before must not stay where everybody sees it, and pages are told.
func TestARefusedUpdateLeavesTheFeed(t *testing.T) {
	t.Parallel()
	n := openNotes(t, filepath.Join(t.TempDir(), "notes.db"))
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	feeds := n.add(t, app)
	told := make(chan string, 10)
	require.NoError(t, app.AddProjection(projector.Config{
		Name: "told", Topics: []string{feeds.Topic()}, Projection: feedNames{names: told},
	}))
	run(t, app)
	n.create(t, "one", "go")
	require.Equal(t, "go", <-told)
	_, err := n.repo.Update(t.Context(), "one", func(body *note) error {
		body.Tag = ""
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "go", <-told, "pages that show it")
	page, err := n.feeds.Page(t.Context(), "go", "", 0)
	require.NoError(t, err)
	require.Empty(t, page.Items)
	require.Zero(t, page.Feed.Count)
	require.Eventually(t, func() bool {
		backlog, err := n.store.Outbox().Backlog(t.Context())
		return err == nil && backlog.Parked == 1
	}, patience, 5*time.Millisecond)
}

// outage is a projection that fails a number of times, and then applies everything.
type outage struct {
	projector.NoSweep

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
	n := openNotes(t, filepath.Join(t.TempDir(), "notes.db"))
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

// refuser is a projection that refuses the notes with a tag and records the tags of the others.
type refuser struct {
	projector.NoSweep

	tag string

	mu   sync.Mutex
	tags map[string]bool
}

func (r *refuser) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	var refused []error
	applied := map[string]bool{}
	for _, msg := range batch {
		item, err := cqrsfeed.DecodeItem[note](msg)
		if err == nil && item.Body.Tag == r.tag {
			err = errors.New("not this tag")
		}
		if err != nil {
			refused = append(refused, &cqrsfeed.RefusedError{Message: msg, Reason: err})
		}
		applied[item.Body.Tag] = true
	}
	if len(refused) > 0 {
		return nil, errors.Join(refused...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.tags, applied)
	return nil, nil
}

// TestProjectionsThatRefuseDifferentEvents each get those that the other refuses.
func TestProjectionsThatRefuseDifferentEvents(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	x, y := &refuser{tag: "x", tags: map[string]bool{}}, &refuser{tag: "y", tags: map[string]bool{}}
	for name, projection := range map[string]*refuser{"no x": x, "no y": y} {
		require.NoError(t, app.AddProjection(projector.Config{Name: name, Topics: cqrsfeed.TopicsOf("note").All(), Projection: projection}))
	}
	for _, tag := range []string{"x", "y", "z"} { // one batch
		n.create(t, tag, tag)
	}
	stop := run(t, app)
	require.Eventually(t, func() bool {
		backlog, err := n.store.Outbox().Backlog(t.Context())
		return err == nil && backlog.Parked == 2 && backlog.Waiting == 0
	}, patience, 5*time.Millisecond)
	stop()
	assert.Equal(t, map[string]bool{"y": true, "z": true}, x.tags)
	assert.Equal(t, map[string]bool{"x": true, "z": true}, y.tags)
}

// TestTwoKindsOfFeedsOfTheSameItems, and reads that wait for both.
func TestTwoKindsOfFeedsOfTheSameItems(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.add(t, app)
	texts, err := sqlitestore.NewFeedStore[note](n.store, "text")
	require.NoError(t, err)
	require.NoError(t, n.store.EnsureSchema(t.Context()))
	_, err = feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{
		Name: "text", Items: n.repo, Store: texts, FeedsOf: func(cqrsfeed.Item[note]) []string { return []string{"all"} },
	})
	require.NoError(t, err)
	run(t, app)
	n.create(t, "n1", "go")
	for store, feed := range map[cqrsfeed.FeedStore[note]]string{n.feeds: "go", texts: "all"} {
		require.Eventually(t, func() bool {
			page, err := store.Page(t.Context(), feed, "", 0)
			return err == nil && page.Feed.Count == 1
		}, patience, 5*time.Millisecond)
	}
}

// gate is a projection that waits until it is open.
type gate struct {
	projector.NoSweep

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
		ApplyTimeout: patience,
	}))
	run(t, app)
	n.create(t, "first", "go")
	<-slow.entered
	start := time.Now()
	for i := range 50 {
		n.create(t, fmt.Sprint("n", i), "go")
	}
	assert.Less(t, time.Since(start), patience/2, "writers waited for the projection")
	close(slow.open)
	require.Eventually(t, func() bool { return slow.applied.Load() >= 51 }, patience, 5*time.Millisecond)
}

// updates is a projection that announces every message with an event of its own.
type updates struct {
	projector.NoSweep

	err error
}

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
