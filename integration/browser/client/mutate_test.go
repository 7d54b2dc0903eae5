package client_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/ssestream"
)

type note struct{ Text, Tag string }

func tagsOf(n cqrsfeed.Item[note]) []string { return []string{n.Body.Tag} }

// lateFeeds apply changes some time after they were written.
type lateFeeds struct {
	*sqlitestore.FeedStore[note]

	latest time.Duration
}

func (f lateFeeds) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[note]) ([]cqrsfeed.FeedUpdated, error) {
	select {
	case <-time.After(rand.N(f.latest)):
	case <-ctx.Done():
	}
	return f.FeedStore.Apply(ctx, batch)
}

// notesPage shows a feed, and keeps all that it has shown. It shows a note at once, under the text until its id is known.
const notesPage = `<!doctype html>
<title>A page that shows what it writes</title>
<script type="module">
import { StreamClient } from '/client/index.js'
const streams = new StreamClient('/streams')
window.shown = []
streams.subscribe('feed:go', { state: ({ items }) => shown.push(items.map(({ body }) => body.Text)) })
window.write = (text) => streams.mutate(
	'feed:go',
	(page) => ({ ...page, items: [{ id: text, version: 0, body: { Text: text, Tag: 'go' } }, ...page.items] }),
	() => fetch('/notes', { method: 'POST', body: new URLSearchParams(text ? { text, tag: 'go' } : {}) }),
)
window.flickers = (text) => {
	const from = shown.findIndex((texts) => texts.includes(text))
	return from < 0 || shown.slice(from).some((texts) => texts.filter((one) => one === text).length !== 1)
}
</script>`

// TestMutateShowsAWriteAtOnce and without a flicker, while others write, on a read model that is late.
func TestMutateShowsAWriteAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.WithoutCancel(t.Context())
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(t.TempDir(), "notes.db")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	notes, err := sqlitestore.NewRepository[note](store, "note")
	require.NoError(t, err)
	feeds, err := sqlitestore.NewFeedStore[note](store, "note")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(ctx))
	app, err := feedmill.New(feedmill.Config{Outbox: store.Outbox()}, watermill.NopLogger{})
	require.NoError(t, err)
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{
		Items: notes, Store: lateFeeds{feeds, 150 * time.Millisecond}, FeedsOf: tagsOf,
	})
	require.NoError(t, err)
	streams, err := app.Streams(ssestream.Stream{
		Pattern: "feed:{tag}", Topics: []string{tags.Topic()}, Adapter: tags.Pages("tag", nil),
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(notesPage)) // The browser may be gone.
	})
	mux.Handle("GET /client/", http.StripPrefix("/client/", http.FileServer(http.Dir(built))))
	mux.HandleFunc("GET /streams", streams)
	mux.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("text") == "" {
			http.Error(w, "a note has a text", http.StatusUnprocessableEntity)
			return
		}
		n, err := notes.Create(r.Context(), watermill.NewULID(), note{r.FormValue("text"), r.FormValue("tag")})
		tags.Reply(w, r, http.StatusCreated, n, err)
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.ConnContext = app.Router().ConnContext
	server.Start()
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- app.Run(running) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		server.Close()
	})
	<-app.Running()

	browser, err := chrome.Start(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, browser.Close()) })
	opened, err := browser.Open(server.URL+"/", 640, 480)
	require.NoError(t, err)
	w := &window{opened, t}
	w.await("window.shown?.length === 1")

	w.run("write('mine-0')")
	require.Equal(t, []string{"mine-0"}, value[[]string](w, "shown[1]"), "before the server knows of it")
	w.run(`(async () => {
		for (let n = 1; n < 15; n++) {
			const others = n % 2 ? [] : [fetch('/notes', { method: 'POST', body: new URLSearchParams({ text: 'other-' + n, tag: 'go' }) })]
			const mine = write('mine-' + n)
			if (n % 3) await Promise.all([mine, ...others])
		}
		await write('').then(({ status }) => { window.refused = status })
	})()`)
	w.await("window.refused === 422")
	// 15 of the page and 7 of others, and nothing that was refused.
	w.await("shown.at(-1).length === 22 && !shown.at(-1).includes('')")
	w.await("Array.from({ length: 15 }, (_, n) => 'mine-' + n).every((text) => !flickers(text))")
	require.True(t, value[bool](w, "shown.some((texts) => texts[0] === '')"), "what was refused was shown first")

	// The page follows the stream again.
	_, err = notes.Create(ctx, watermill.NewULID(), note{"last", "go"})
	require.NoError(t, err)
	w.await("shown.at(-1)[0] === 'last' && shown.at(-1).length === 23")
	t.Logf("%d states were shown for 23 notes", value[int](w, "shown.length"))
}
