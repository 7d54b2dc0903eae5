package docs_test

import (
	"context"
	"database/sql"
	"errors"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/ssestream"
)

// These functions compile the code of the documents that is in no other program.

// Post is the item of the documents.
type Post struct{ Tags []string }

// Of outbox.md.
var (
	_ = func() (*mysqlstore.Store, error) {
		db, err := sql.Open("mysql", "user:password@tcp(localhost:3306)/bank?interpolateParams=true")
		if err != nil {
			return nil, err
		}
		store, err := mysqlstore.New(db, mysqlstore.Config{})
		return store, err
	}
	_ = func() (*sqlitestore.Store, error) {
		db, err := sql.Open("sqlite", sqlitestore.DSN("bank.db"))
		if err != nil {
			return nil, err
		}
		store, err := sqlitestore.New(db, sqlitestore.Config{})
		return store, err
	}
	_ = func(ctx context.Context, store *sqlitestore.Store, publisher message.Publisher, logger watermill.LoggerAdapter) error {
		err := store.EnsureSchema(ctx) // at every start
		if err != nil {
			return err
		}
		relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: store.Outbox(), Publisher: publisher}, logger)
		if err != nil {
			return err
		}
		return relay.Run(ctx) // until ctx ends, in a goroutine or a process of its own
	}
	_ = func(ctx context.Context, store *sqlitestore.Store) error {
		parked, err := store.Outbox().Parked(ctx, "", 100)
		if err != nil {
			return err
		}
		for _, m := range parked {
			log.Println(m.ID, m.Topic, m.Message.UUID, m.ParkedAt, m.Attempts, m.Reason)
		}
		returned, err := store.Outbox().Unpark(ctx, parked[0].ID) // back to its place in the queue
		if err != nil {
			return err
		}
		discarded, err := store.Outbox().Discard(ctx, parked[1].ID) // deleted
		log.Print(returned, discarded)
		return err
	}
)

// Of choosing-parts.md.
var _ = func(ctx context.Context, logger watermill.LoggerAdapter) error {
	config, err := pgx.ParseConfig("postgres://user:password@localhost/blog") // github.com/jackc/pgx/v5
	if err != nil {
		return err
	}
	db := postgresstore.Open(config)
	defer db.Close()
	store, err := postgresstore.New(db, postgresstore.Config{})
	if err != nil {
		return err
	}
	posts, err := postgresstore.NewRepository[Post](store, "post")
	if err != nil {
		return err
	}
	feeds, err := postgresstore.NewFeedStore[Post](store, "post")
	if err != nil {
		return err
	}
	live, err := postgresstore.NewLive(store, postgresstore.LiveConfig{}, logger)
	if err != nil {
		return err
	}
	defer live.Close() // after app.Run
	if err := store.EnsureSchema(ctx); err != nil {
		return err
	}
	app, err := feedmill.New(feedmill.Config{Outbox: store.Outbox(), Live: live}, logger)
	if err != nil {
		return err
	}
	_, err = feedmill.AddFeeds(app, feedmill.FeedsConfig[Post]{
		Items: posts, Store: feeds, FeedsOf: func(p cqrsfeed.Item[Post]) []string { return p.Body.Tags },
	})
	return errors.Join(err, app.Run(ctx))
}

var _ = func(ctx context.Context, conn *nats.Conn, store *mysqlstore.Store, logger watermill.LoggerAdapter) (*feedmill.App, error) {
	stream, err := natspubsub.NewStream(conn, natspubsub.StreamConfig{Name: "blog"}, logger)
	if err != nil {
		return nil, err
	}
	if err := stream.Ensure(ctx); err != nil {
		return nil, err
	}
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	if err != nil {
		return nil, err
	}
	work, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "feeds"})
	if err != nil {
		return nil, err
	}
	live := stream.NewLiveSubscriber()
	app, err := feedmill.New(feedmill.Config{
		Outbox: store.Outbox(),
		Broker: &feedmill.Broker{Publisher: publisher, Work: work, Live: live},
	}, logger)
	return app, err
}

var _ = func(ctx context.Context, db *mongo.Database) (*mongostore.FeedStore[Post], error) {
	feeds, err := mongostore.NewFeedStore[Post](db, mongostore.FeedStoreConfig{Name: "post"})
	if err != nil {
		return nil, err
	}
	if err := feeds.EnsureSchema(ctx); err != nil {
		return nil, err
	}
	return feeds, nil
}

// Of order.md.
var _ = func(ctx context.Context, db *sql.DB, stream *natspubsub.Stream, send func(context.Context, cqrsfeed.Item[string]) error) error {
	store, err := mysqlstore.New(db, mysqlstore.Config{Topics: cqrsfeed.PartitionsOf})
	if err != nil {
		return err
	}
	orders, err := mysqlstore.NewRepository[string](store, "order")
	if err != nil {
		return err
	}
	mail, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "mail", MaxInFlight: 1, MaxAckPending: 1})
	if err != nil {
		return err
	}
	decode := cqrsfeed.DecodeItem[string] // the body of an order is a string here
	for _, topic := range orders.Topics().All() {
		messages, err := mail.Subscribe(ctx, topic)
		if err != nil {
			return err
		}
		go func() {
			for msg := range messages { // the next one comes after the Ack
				order, err := decode(msg)
				if err == nil {
					err = send(ctx, order)
				}
				if err != nil {
					msg.Nack() // it comes again, before the others of its partition
					continue
				}
				msg.Ack()
			}
		}()
	}
	return nil
}

var _ = func(ctx context.Context, store *mysqlstore.Store, tx *sql.Tx, account string, event *message.Message) error {
	accounts := cqrsfeed.PartitionsOf("account")
	store.Outbox().KeepOrder(accounts.All()...) // at start, before the relay
	event.Metadata.Set(cqrsfeed.PartitionKey, account)
	return store.Outbox().Add(ctx, tx, accounts.Of(account).Updated, event)
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Panic(err)
	}
	return value
}

// Of getting-started.md.
var _ = func(app *feedmill.App, notes cqrsfeed.Repository[Post], tags *feedmill.Feeds[Post]) {
	http.HandleFunc("GET /feeds", app.Handle(tags.List(nil), tags.Topic()))
	http.HandleFunc("GET /api/streams", must(app.Streams(
		ssestream.Stream{Pattern: "feeds", Topics: []string{tags.Topic()}, Adapter: tags.List(nil)},
		ssestream.Stream{Pattern: "feed:{tag}", Topics: []string{tags.Topic()}, Adapter: tags.Pages("tag", nil)},
	)))
	http.HandleFunc("DELETE /notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		n, err := notes.Delete(r.Context(), r.PathValue("id"))
		tags.Reply(w, r, http.StatusNoContent, n, err)
	})
}

// Of authentication.md.
var _ = func(
	store *mysqlstore.Store, publisher message.Publisher, work, live message.Subscriber, principal func(*http.Request) string,
	logger watermill.LoggerAdapter,
) (*feedmill.App, error) {
	app, err := feedmill.New(feedmill.Config{
		Outbox: store.Outbox(),
		Broker: &feedmill.Broker{Publisher: publisher, Work: work, Live: live},
		Router: ssestream.RouterConfig{Principal: principal, KickTopic: "kicks"},
	}, logger)
	return app, err
}

// Of nats.md.
var _ = func(urls string) (*nats.Conn, error) {
	return nats.Connect(urls, append(natspubsub.ConnectOptions(), nats.Name("bank"))...)
}

// Of rebuild.md.
var (
	_ = func(
		ctx context.Context, posts cqrsfeed.Repository[Post], feeds readmodel.Store[Post], app *feedmill.App, tags *feedmill.Feeds[Post],
		tagsOf func(cqrsfeed.Item[Post]) []string,
	) (readmodel.RebuildSummary, error) {
		summary, err := readmodel.Rebuild(ctx, readmodel.RebuildConfig[Post]{
			Source: posts, Store: feeds, FeedsOf: tagsOf,
			Publisher: app.Router(), UpdatesTopic: tags.Topic(), // so that open pages follow at once
			Progress: func(s readmodel.RebuildSummary) { log.Printf("%d items, up to %q", s.Items, s.After) },
		})
		return summary, err
	}
	_ = func(
		ctx context.Context, posts cqrsfeed.Repository[Post], feeds readmodel.Store[Post],
		tagsOf func(cqrsfeed.Item[Post]) []string,
	) (readmodel.AuditSummary, error) {
		summary, err := readmodel.Audit(ctx, readmodel.AuditConfig[Post]{
			Source: posts, Store: feeds, FeedsOf: tagsOf,
			Drift: func(d readmodel.Drift) { log.Print(d) },
		})
		return summary, err
	}
)

// Of existing-application.md.
var _ = func(server *http.Server, app *feedmill.App) {
	server.ConnContext = app.Router().ConnContext
	server.RegisterOnShutdown(func() { _ = app.Router().Close() })
}

// Of deploying.md.
var _ = func() *http.Server {
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second, // bounds commands; streams last beyond it
		WriteTimeout:      30 * time.Second, // bounds plain answers; streams have the router's own
		IdleTimeout:       2 * time.Minute,  // longer than a proxy keeps an idle connection to it
		MaxHeaderBytes:    16 << 10,         // net/http keeps a request's header as long as its stream
	}
	return server
}

// Of streams.md.
var (
	_ = func(ctx context.Context, server *http.Server, router *ssestream.Router) error {
		server.ConnContext = router.ConnContext
		server.RegisterOnShutdown(func() { _ = router.Close() })
		err := errors.Join(server.Shutdown(ctx), router.Close())
		return err
	}
	_ = ssestream.RouterConfig{
		ClientAddress: func(r *http.Request) string {
			field := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
			return strings.TrimSpace(field[strings.LastIndexByte(field, ',')+1:])
		},
	}
)
