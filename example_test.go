package feedmill_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// A note with tags, its feeds, and a page that follows one of them: the program of the README.
func Example() {
	type Note struct{ Text, Tag string }
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, _ := os.MkdirTemp("", "feedmill")
	defer os.RemoveAll(dir)

	// The write model, its outbox and the feeds share an SQLite file; events go over a Go channel.
	db, _ := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(dir, "notes.db")))
	defer db.Close()
	topics := cqrsfeed.Topics{Created: "note-created", Updated: "note-updated", Deleted: "note-deleted"}
	outbox, _ := sqlitestore.NewOutbox(db, sqlitestore.OutboxConfig{})
	notes, _ := sqlitestore.NewRepository[Note](db, outbox, sqlitestore.RepositoryConfig{Topics: topics})
	feeds, _ := sqlitestore.NewFeedStore[Note](db, sqlitestore.FeedStoreConfig{})
	for _, schema := range []func(context.Context) error{outbox.EnsureSchema, notes.EnsureSchema, feeds.EnsureSchema} {
		if err := schema(ctx); err != nil {
			panic(err)
		}
	}
	events := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})

	// Every change reaches the feeds named by FeedsOf, and the pages that follow them.
	relay, _ := cqrsfeed.NewRelay(cqrsfeed.RelayConfig{Outbox: outbox, Publisher: events}, nil)
	tagFeeds, _ := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store: feeds, FeedsOf: func(note cqrsfeed.Item[Note]) []string { return []string{note.Body.Tag} },
	})
	projector, _ := cqrsfeed.NewProjector(cqrsfeed.ProjectorConfig{
		Subscriber: events, Topics: topics.All(), Projection: tagFeeds,
		Publisher: events, UpdatesTopic: "feed-updated", PoisonTopic: "poison",
	}, nil)
	router, _ := ssestream.NewRouter(ssestream.RouterConfig{UpstreamSubscriber: events}, nil)
	page, _ := ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, cqrsfeed.Feed]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("feed"), nil },
		EventKeys:  func(event cqrsfeed.FeedUpdated) []string { return []string{event.Feed} },
		Load: func(ctx context.Context, feed string) (cqrsfeed.Feed, error) {
			page, err := feeds.Page(ctx, feed, "", 10)
			return page.Feed, err
		},
	}.Build()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", router.AddHandler("feed-updated", page))
	go relay.Run(ctx)
	go projector.Run(ctx)
	go router.Run(ctx)

	// Somebody follows a feed; somebody else writes a note.
	server := httptest.NewServer(mux)
	defer server.Close()
	defer router.Close()
	stream, _ := ssestreamtest.Connect(ctx, server.Client(), server.URL+"/feeds/go")
	defer stream.Close()
	event, _ := stream.Next(ctx)
	fmt.Println(event.Data)
	if _, err := notes.Create(ctx, "1", Note{Text: "hello", Tag: "go"}); err != nil {
		panic(err)
	}
	event, _ = stream.Next(ctx)
	fmt.Println(event.Data)
	// Output:
	// {"name":"go","count":0,"revision":0}
	// {"name":"go","count":1,"revision":1}
}
