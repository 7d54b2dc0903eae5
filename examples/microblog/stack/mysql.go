package stack

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/go-sql-driver/mysql"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// openMySQL opens the posts in a MySQL database.
func (s *Stack) openMySQL(ctx context.Context, c Config) error {
	config, err := mysql.ParseDSN(c.MySQLDSN)
	if err != nil {
		return fmt.Errorf("read the MySQL DSN: %w", err)
	}
	config.Logger = slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn)
	db, err := mysqlstore.Open(config)
	if err != nil {
		return fmt.Errorf("read the MySQL DSN: %w", err)
	}
	s.opened("mysql", config.Addr+"/"+config.DBName, db.PingContext, db.Close)
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	if err != nil {
		return err
	}
	s.Outbox = store.Outbox()
	if s.Posts, err = mysqlstore.NewRepository[post.Post](store, api.Kind); err != nil {
		return err
	}
	return s.await(ctx, "create tables in MySQL", store.EnsureSchema)
}
