package feedmill_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// addWith adds feeds of the repository itself, as they are configured by c.
func (n notes) addWith(t *testing.T, app *feedmill.App, c feedmill.FeedsConfig[note]) *feedmill.Feeds[note] {
	t.Helper()
	c.Store, c.FeedsOf = n.feeds, tagOf
	feeds, err := feedmill.AddFeeds(app, c)
	require.NoError(t, err)
	return feeds
}

// TestItem: an item is read from the write model as View shows it. Its entity tag is accepted by IfMatch.
func TestItem(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	feeds := n.addWith(t, app, feedmill.FeedsConfig[note]{Items: n.repo, View: func(i cqrsfeed.Item[note]) any { return i.Body.Tag }})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes/{id}", app.Router().AddTopicsHandler(feeds.ItemTopics(), feeds.Item("id")))
	server := httptest.NewServer(mux)
	defer server.Close()
	defer run(t, app)()
	get := func(path string) (status int, tag, text string) {
		response, err := http.Get(server.URL + path)
		require.NoError(t, err)
		defer response.Body.Close()
		var body any
		require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
		text, _ = body.(string)
		return response.StatusCode, response.Header.Get("ETag"), text
	}
	for path, status := range map[string]int{
		"/notes/nobody": http.StatusNotFound, "/notes/" + strings.Repeat("x", 1000): http.StatusBadRequest, "/notes/%00": http.StatusBadRequest,
	} {
		got, _, _ := get(path)
		require.Equal(t, status, got, path)
	}
	n.create(t, "n1", "go")
	_, tag, shown := get("/notes/n1")
	require.Equal(t, "go", shown)

	edit := httptest.NewRequest(http.MethodPatch, "/notes/n1", http.NoBody)
	edit.Header.Set("If-Match", tag)
	condition, err := cqrsfeed.IfMatch(edit)
	require.NoError(t, err)
	stream, err := ssestreamtest.Connect(t.Context(), http.DefaultClient, server.URL+"/notes/n1")
	require.NoError(t, err)
	defer func() { require.NoError(t, stream.Close()) }()
	next := func() string {
		event, err := stream.Next(t.Context())
		require.NoError(t, err)
		return event.Data
	}
	require.Equal(t, `"go"`, next())
	change := func(n *note) error { n.Tag = "sse"; return nil }
	_, err = n.repo.Update(t.Context(), "n1", change, condition...)
	require.NoError(t, err)
	require.Equal(t, `"sse"`, next(), "a change is followed")
	_, err = n.repo.Update(t.Context(), "n1", change, condition...)
	require.ErrorIs(t, err, cqrsfeed.ErrConflict, "the tag is that of the version")
}

// counted are items whose reads are counted.
type counted struct {
	*sqlitestore.Repository[note]
	reads map[string]*atomic.Int64
}

func (c counted) Get(ctx context.Context, id string) (cqrsfeed.Item[note], error) {
	c.reads[id].Add(1)
	return c.Repository.Get(ctx, id)
}

// TestItemEventsOfANewerRelease have a body that this one cannot decode. Only the item of an event is loaded.
func TestItemEventsOfANewerRelease(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	items := counted{n.repo, map[string]*atomic.Int64{"n1": {}, "n2": {}}}
	one := n.addWith(t, app, feedmill.FeedsConfig[note]{Items: items}).Item("id")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes/{id}", app.Router().AddTopicsHandler([]string{"newer"}, one))
	s := newSite(t, mux)
	run(t, app)
	for id := range items.reads {
		n.create(t, id, "go")
		next[cqrsfeed.Item[note]](t, s.follow(t, "/notes/"+id))
	}
	for i := range 5 {
		_, err := n.db.ExecContext(t.Context(), `INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES (?, 'newer', '{}', ?, 1)`,
			strconv.Itoa(i), []byte(`{"item":{"id":"n1","body":"of another type"}}`))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return items.reads["n1"].Load() == int64(i+2) }, patience, time.Millisecond)
	}
	require.EqualValues(t, 1, items.reads["n2"].Load())
}

// TestItemTopics follow changes of an item that exists, on the topics that the repository has.
func TestItemTopics(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	feeds := n.addWith(t, app, feedmill.FeedsConfig[note]{Items: n.repo})
	require.Equal(t, []string{"note-updated", "note-deleted"}, feeds.ItemTopics())
	divided := n.addWith(t, app, feedmill.FeedsConfig[note]{Items: partitioned{feedmill.ItemsElsewhere[note]("divided")}})
	require.Len(t, divided.ItemTopics(), 16)
}

// TestItemNeedsTheRepository: items elsewhere cannot be read.
func TestItemNeedsTheRepository(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes/{id}", app.Router().AddTopicsHandler([]string{"t"}, n.add(t, app).Item("id")))
	defer run(t, app)()
	response := httptest.NewRecorder()
	mux.ServeHTTP(response, httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "/notes/n1", http.NoBody))
	require.Equal(t, http.StatusInternalServerError, response.Code)
}

// partitioned are items whose events are divided.
type partitioned struct{ feedmill.Items[note] }

func (p partitioned) Topics() cqrsfeed.Topics { return cqrsfeed.PartitionsOf(p.Name()) }
