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
	"github.com/nats-io/nats.go"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/natspubsub"
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
var _ = func(ctx context.Context, conn *nats.Conn, store *mysqlstore.Store, logger watermill.LoggerAdapter) (*feedmill.App, error) {
	stream, err := natspubsub.NewStream(conn, natspubsub.StreamConfig{Name: "notes"}, logger)
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

// Of nats.md.
var _ = func(urls string) (*nats.Conn, error) {
	return nats.Connect(urls,
		nats.MaxReconnects(-1),             // a connection that is closed for good ends every subscription
		nats.PingInterval(3*time.Second),   // two missing answers end the connection
		nats.FlusherTimeout(3*time.Second), // so does a write that does not end
		nats.ReconnectWait(250*time.Millisecond))
}

// Of rebuild.md.
var (
	_ = func(
		ctx context.Context, posts cqrsfeed.Repository[Post], feeds readmodel.Store[Post], events message.Publisher,
		tagsOf func(cqrsfeed.Item[Post]) []string,
	) (readmodel.RebuildSummary, error) {
		summary, err := readmodel.Rebuild(ctx, readmodel.RebuildConfig[Post]{
			Source: posts, Store: feeds, FeedsOf: tagsOf,
			Publisher: events, UpdatesTopic: "post-feed-updated", // so that open pages follow
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

// Of streams.md.
var (
	_ = func(ctx context.Context, server *http.Server, router *ssestream.Router) error {
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
