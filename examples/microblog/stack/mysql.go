package stack

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// Bounds for servers that cannot be reached, and connections that the network has forgotten, unless the DSN has others.
const (
	connectTimeout = 2 * time.Second
	mysqlWait      = 20               // seconds until MySQL ends a silent session and frees its rows; a batch takes less
	mysqlIdle      = 10 * time.Second // less than mysqlWait
)

// openMySQL opens the posts in a MySQL database.
func (s *Stack) openMySQL(ctx context.Context, c Config) error {
	config, err := mysql.ParseDSN(c.MySQLDSN)
	if err != nil {
		return fmt.Errorf("read the MySQL DSN: %w", err)
	}
	if config.Timeout == 0 {
		config.Timeout = connectTimeout
	}
	params := map[string]string{"wait_timeout": strconv.Itoa(mysqlWait)}
	maps.Copy(params, config.Params)
	config.Params, config.Logger = params, slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return fmt.Errorf("read the MySQL DSN: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetConnMaxIdleTime(mysqlIdle)
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
