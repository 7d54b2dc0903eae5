// Notes is the smallest live application: notes with a tag each, and a stream for every tag that follows along. It keeps
// them in notes.db in the current folder.
//
//	curl -N -H 'Accept: text/event-stream' localhost:8080/feeds/go
//	curl -d 'text=hello&tag=go' localhost:8080/notes
package main

import (
	"context"
	"database/sql"
	"log"
	"net/http"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/ssestream"
)

type note struct{ Text, Tag string }

type page = cqrsfeed.FeedPage[note]

func main() {
	log.Fatal(http.ListenAndServe("localhost:8080", newApp(context.Background(), "notes.db"))) //nolint:gosec // no timeouts: it is the smallest
}

// newApp keeps everything in an SQLite file; events go over a Go channel. It works until ctx ends.
func newApp(ctx context.Context, file string) http.Handler {
	// The write model, its outbox, and the read model: a feed for every tag.
	db := must(sql.Open("sqlite", sqlitestore.DSN(file)))
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[note](store, "note"))
	check(store.EnsureSchema(ctx))

	// Every change of a note reaches the feeds that FeedsOf names, and then the pages that follow them.
	// Publishing an event blocks until it is applied, so that the outbox keeps what a crash would take from a Go channel.
	// Updates have a channel of their own: a blocking one, published to while it publishes, can lock itself up.
	events := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	updates := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	relay := must(outbox.NewRelay(outbox.RelayConfig{Outbox: store.Outbox(), Publisher: events}, nil))
	tagFeeds := must(cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[note]{
		Store:   feeds,
		FeedsOf: func(n cqrsfeed.Item[note]) []string { return []string{n.Body.Tag} },
	}))
	proj := must(projector.New(projector.Config{
		Subscriber: events, Topics: cqrsfeed.TopicsOf("note").All(), Projection: tagFeeds,
		Publisher: updates, UpdatesTopic: "feed-updated", PoisonTopic: "poison",
	}, nil))
	router := must(ssestream.NewRouter(ssestream.RouterConfig{UpstreamSubscriber: updates}, nil))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", router.AddHandler("feed-updated", must(ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, page]{
		RequestKey: func(r *http.Request) (string, error) {
			return r.PathValue("tag"), cqrsfeed.ValidateFeed(r.PathValue("tag"))
		},
		EventKeys: func(event cqrsfeed.FeedUpdated) []string { return []string{event.Feed} },
		Load:      func(ctx context.Context, tag string) (page, error) { return feeds.Page(ctx, tag, "", 10) },
	}.Build())))
	mux.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		n := note{Text: r.FormValue("text"), Tag: r.FormValue("tag")}
		if err := cqrsfeed.ValidateFeed(n.Tag); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		} else if _, err := notes.Create(r.Context(), watermill.NewULID(), n); err != nil {
			http.Error(w, "the note was not saved", http.StatusInternalServerError)
		}
	})

	// A Go channel keeps nothing for those who subscribe later, or no more: the projector is there before the relay
	// publishes, and as long as it does.
	projecting, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() { check(proj.Run(projecting)) }()
	go func() { check(router.Run(ctx)) }()
	<-proj.Running()
	<-router.Running()
	go func() {
		defer stop()
		check(relay.Run(ctx))
	}()
	return mux
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
