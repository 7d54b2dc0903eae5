package stack

import (
	"context"
	"fmt"

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
	return s.await(ctx, "create tables in PostgreSQL", store.EnsureSchema)
}
