package feedmill_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type note struct{ Text, Tag string }

func tagOf(n cqrsfeed.Item[note]) []string { return []string{n.Body.Tag} }

type notePage = cqrsfeed.FeedPage[note]

// notes is a database with the notes of an application.
type notes struct {
	db    *sql.DB
	store *sqlitestore.Store
	repo  *sqlitestore.Repository[note]
	feeds *sqlitestore.FeedStore[note]
}

func openNotes(tb testing.TB, file string, checks ...func(cqrsfeed.Item[note]) error) notes {
	tb.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(file))
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	n := notes{db: db}
	n.store, err = sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(tb, err)
	n.repo, err = sqlitestore.NewRepository(n.store, "note", checks...)
	require.NoError(tb, err)
	n.feeds, err = sqlitestore.NewFeedStore[note](n.store, "note")
	require.NoError(tb, err)
	require.NoError(tb, n.store.EnsureSchema(context.WithoutCancel(tb.Context())))
	return n
}

func newNotes(tb testing.TB, checks ...func(cqrsfeed.Item[note]) error) notes {
	tb.Helper()
	return openNotes(tb, filepath.Join(tb.TempDir(), "notes.db"), checks...)
}

func (n notes) create(tb testing.TB, id, tag string) cqrsfeed.Item[note] {
	tb.Helper()
	item, err := n.repo.Create(tb.Context(), id, note{Text: "text of " + id, Tag: tag})
	require.NoError(tb, err)
	return item
}

// add adds the feeds of the notes to an App. The repository goes on to accept what these refuse.
func (n notes) add(tb testing.TB, app *feedmill.App) *feedmill.Feeds[note] {
	tb.Helper()
	feeds, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Items: feedmill.ItemsElsewhere[note]("note"), Store: n.feeds, FeedsOf: tagOf})
	require.NoError(tb, err)
	return feeds
}

func newApp(tb testing.TB, config feedmill.Config) *feedmill.App {
	tb.Helper()
	app, err := feedmill.New(config, watermill.NopLogger{})
	require.NoError(tb, err)
	return app
}

// run runs an App until the test ends or stop is called, which waits for the end.
func run(tb testing.TB, app *feedmill.App) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			assert.NoError(tb, within(ended))
		}
	}
	tb.Cleanup(stop)
	select {
	case <-app.Running():
	case <-time.After(patience):
		require.Fail(tb, "the app does not run")
	}
	return stop
}

func within(ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		return context.DeadlineExceeded
	}
}

// site is an HTTP server.
type site struct {
	url    string
	client *http.Client
}

func newSite(tb testing.TB, handler http.Handler) site {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	return site{server.URL, server.Client()}
}

func (s site) follow(tb testing.TB, path string, options ...ssestreamtest.Option) *ssestreamtest.Stream {
	tb.Helper()
	stream, err := ssestreamtest.Connect(context.WithoutCancel(tb.Context()), s.client, s.url+path, options...)
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, stream.Close()) })
	return stream
}

// next returns the next state of a stream.
func next[T any](tb testing.TB, stream *ssestreamtest.Stream) T {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	event, err := stream.Next(ctx)
	require.NoError(tb, err)
	var state T
	require.NoError(tb, json.Unmarshal([]byte(event.Data), &state), event.Data)
	return state
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s site) get(tb testing.TB, path string, header ...string) answer {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, s.url+path, http.NoBody)
	require.NoError(tb, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := s.client.Do(request)
	require.NoError(tb, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(tb, err)
	require.NoError(tb, response.Body.Close())
	return answer{response.StatusCode, response.Header, string(body)}
}

func decode[T any](tb testing.TB, body string) T {
	tb.Helper()
	var value T
	require.NoError(tb, json.Unmarshal([]byte(body), &value), body)
	return value
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	return listener
}
