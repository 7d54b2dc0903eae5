package stack

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/jackc/pgx/v5"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// openPostgres opens the posts and the feeds in a PostgreSQL database.
func (s *Stack) openPostgres(ctx context.Context, c Config) error {
	config, err := pgx.ParseConfig(c.PostgresDSN)
	if err != nil {
		return fmt.Errorf("read the PostgreSQL DSN: %w", err)
	}
	db := postgresstore.Open(config)
	s.opened("postgres", fmt.Sprintf("%s:%d/%s", config.Host, config.Port, config.Database), db.PingContext, db.Close)
	store, err := postgresstore.New(db, postgresstore.Config{})
	if err != nil {
		return err
	}
	s.Outbox = store.Outbox()
	if s.Posts, err = postgresstore.NewRepository[post.Post](store, api.Kind); err != nil {
		return err
	}
	if s.Feeds, err = postgresstore.NewFeedStore[post.Post](store, api.Kind); err != nil {
		return err
	}
	if c.NATSURL == "" {
		if err := s.openLive(store, c.PostgresListenDSN); err != nil {
			return err
		}
	}
	return s.await(ctx, "create tables in PostgreSQL", store.EnsureSchema)
}

// openLive has instances tell each other what changed, without a broker.
func (s *Stack) openLive(store *postgresstore.Store, listenDSN string) error {
	var c postgresstore.LiveConfig
	if listenDSN != "" {
		config, err := pgx.ParseConfig(listenDSN)
		if err != nil {
			return fmt.Errorf("read the PostgreSQL DSN to listen to: %w", err)
		}
		c.DB = postgresstore.Open(config)
		s.closes = append(s.closes, c.DB.Close)
	}
	live, err := postgresstore.NewLive(store, c, watermill.NewSlogLogger(s.logger))
	if err != nil {
		return err
	}
	s.Live, s.closes = live, append(s.closes, live.Close)
	return nil
}
