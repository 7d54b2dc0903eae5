package stack

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

const (
	postgresWait  = 20 * time.Second // until PostgreSQL ends a silent transaction and frees its rows; a batch takes less
	postgresConns = 20               // a server has few, and a new one costs it much, above all when it has just started
)

// openPostgres opens the posts and the feeds in a PostgreSQL database.
func (s *Stack) openPostgres(ctx context.Context, c Config) error {
	config, err := pgx.ParseConfig(c.PostgresDSN)
	if err != nil {
		return fmt.Errorf("read the PostgreSQL DSN: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	const idle = "idle_in_transaction_session_timeout"
	if _, set := config.RuntimeParams[idle]; !set && config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		config.RuntimeParams[idle] = strconv.FormatInt(postgresWait.Milliseconds(), 10) // a pooler would refuse it
	}
	db := sql.OpenDB(stdlib.GetConnector(*config))
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
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
