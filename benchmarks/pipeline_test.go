// Package benchmarks measures Feedmill beside something else in the same run. README.md explains the figures.
package benchmarks_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// note is what the benchmarks store.
type note struct {
	Text string
	Tag  string
}

// pipeline is everything between a repository and a stream, on SQLite and Go channels.
type pipeline struct {
	db     *sql.DB
	notes  *sqlitestore.Repository[note]
	server *httptest.Server
}

func newPipeline(b *testing.B) *pipeline {
	b.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(b.TempDir(), "notes.db")))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })

	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(b, err)
	notes, err := sqlitestore.NewRepository[note](store, "note")
	require.NoError(b, err)
	feeds, err := sqlitestore.NewFeedStore[note](store, "note")
	require.NoError(b, err)
	require.NoError(b, store.EnsureSchema(b.Context()))

	events := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: store.Outbox(), Publisher: events}, nil)
	require.NoError(b, err)
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[note]{
		Store: feeds, FeedsOf: func(n cqrsfeed.Item[note]) []string { return []string{n.Body.Tag} },
	})
	require.NoError(b, err)
	proj, err := projector.New(projector.Config{
		Subscriber: events, Topics: cqrsfeed.TopicsOf("note").All(), Projection: tagFeeds,
		Publisher: events, UpdatesTopic: "feed-updated", PoisonTopic: "poison",
	}, nil)
	require.NoError(b, err)
	router, err := ssestream.NewRouter(ssestream.RouterConfig{UpstreamSubscriber: events}, nil)
	require.NoError(b, err)
	adapter, err := ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, cqrsfeed.FeedPage[note]]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("feed"), nil },
		EventKeys:  func(event cqrsfeed.FeedUpdated) []string { return []string{event.Feed} },
		Load: func(ctx context.Context, feed string) (cqrsfeed.FeedPage[note], error) {
			return feeds.Page(ctx, feed, "", 10)
		},
	}.Build()
	require.NoError(b, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", router.AddHandler("feed-updated", adapter))
	p := &pipeline{db: db, notes: notes, server: httptest.NewServer(mux)}
	b.Cleanup(p.server.Close)
	runAll(b, proj.Run, router.Run)
	<-proj.Running()
	<-router.Running()
	runAll(b, relay.Run)
	return p
}

// runAll starts the components and stops them at the end of the benchmark.
func runAll(b *testing.B, runs ...func(context.Context) error) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, len(runs))
	for _, run := range runs {
		go func() { done <- run(ctx) }()
	}
	b.Cleanup(func() {
		cancel()
		for range runs {
			require.NoError(b, <-done)
		}
	})
}

// BenchmarkCreateToEvent measures the time from the start of Create to the SSE event at a client on loopback, in an idle
// system. create/event is the part of Create. commits/event is the whole time in units of one SQLite transaction that
// writes one row, measured in the same run.
func BenchmarkCreateToEvent(b *testing.B) {
	p := newPipeline(b)
	stream, err := ssestreamtest.Connect(b.Context(), p.server.Client(), p.server.URL+"/feeds/go")
	require.NoError(b, err)
	defer func() { require.NoError(b, stream.Close()) }()
	_, err = stream.Next(b.Context())
	require.NoError(b, err)
	_, err = p.db.ExecContext(b.Context(), "CREATE TABLE floor (id INTEGER PRIMARY KEY, body TEXT)")
	require.NoError(b, err)

	var creating, committing time.Duration
	n := 0
	for b.Loop() {
		n++
		started := time.Now()
		_, err := p.notes.Create(b.Context(), strconv.Itoa(n), note{Text: "hello", Tag: "go"})
		creating += time.Since(started)
		require.NoError(b, err)
		_, err = stream.Next(b.Context())
		require.NoError(b, err)

		b.StopTimer()
		started = time.Now()
		_, err = p.db.ExecContext(b.Context(), "INSERT INTO floor (body) VALUES ('hello')")
		committing += time.Since(started)
		require.NoError(b, err)
		b.StartTimer()
	}
	b.ReportMetric(float64(creating)/float64(b.Elapsed()), "create/event")
	b.ReportMetric(float64(b.Elapsed())/float64(committing), "commits/event")
}
