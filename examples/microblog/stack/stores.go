package stack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	_ "modernc.org/sqlite" // the driver of the embedded database

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

const (
	// connectTimeout is how long a request waits for a database that cannot be reached, unless its address says
	// otherwise.
	connectTimeout = 2 * time.Second
	// mysqlWait is after how many seconds MySQL ends a session that asks nothing, unless its address says otherwise. A
	// session whose connection the network has forgotten may be amid a transaction, and holds the rows that it has
	// locked for as long: events that the relay had taken, and posts that were being changed. Longer than the relay
	// takes to publish a batch.
	mysqlWait = 20
	// mysqlIdle is how long a connection is kept for the next one who needs it: less than mysqlWait.
	mysqlIdle = 10 * time.Second
	// mongoTimeout is how long one operation on MongoDB may take, unless its address says otherwise. Without it the
	// driver waits for ever for the answer on a connection that the network has forgotten.
	mongoTimeout = 5 * time.Second
	// mongoHeartbeat is how often the driver looks whether MongoDB is there, unless its address says otherwise. An
	// answer that is missing for connectTimeout more ends all connections, which else would fail one after the other,
	// each after mongoTimeout.
	mongoHeartbeat = 2 * time.Second
)

// openStores opens the write model and the read model. Embedded, they share one SQLite file.
func (s *Stack) openStores(ctx context.Context, config Config) error {
	var embedded *sqlitestore.Store
	if config.MySQLDSN == "" || config.MongoURI == "" {
		file := filepath.Join(config.DataDir, databaseFile)
		db, err := sql.Open("sqlite", sqlitestore.DSN(file))
		if err != nil {
			return fmt.Errorf("open SQLite file %s: %w", file, err)
		}
		s.opened("sqlite", file, db.PingContext, db.Close)
		if embedded, err = sqlitestore.New(db, sqlitestore.Config{}); err != nil {
			return err
		}
	}
	if err := s.openPosts(ctx, config.MySQLDSN, embedded); err != nil {
		return err
	}
	if err := s.openFeeds(ctx, config.MongoURI, embedded); err != nil || embedded == nil {
		return err
	}
	return embedded.EnsureSchema(ctx)
}

func (s *Stack) openPosts(ctx context.Context, dsn string, embedded *sqlitestore.Store) error {
	if dsn != "" {
		return s.openMySQL(ctx, dsn)
	}
	posts, err := sqlitestore.NewRepository[post.Post](embedded, "post")
	if err != nil {
		return err
	}
	s.Parts.Posts, s.Parts.Outbox, s.CountPosts = posts, embedded.Outbox(), posts.CountItems
	return nil
}

func (s *Stack) openMySQL(ctx context.Context, dsn string) error {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return fmt.Errorf("read the MySQL DSN: %w", err)
	}
	if config.Timeout == 0 {
		config.Timeout = connectTimeout
	}
	if _, said := config.Params["wait_timeout"]; !said {
		config.Params = maps.Clone(config.Params)
		if config.Params == nil {
			config.Params = map[string]string{}
		}
		config.Params["wait_timeout"] = strconv.Itoa(mysqlWait)
	}
	config.Logger = mysqlLogger{s.logger}
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
	posts, err := mysqlstore.NewRepository[post.Post](store, "post")
	if err != nil {
		return err
	}
	s.Parts.Posts, s.Parts.Outbox, s.CountPosts = posts, store.Outbox(), posts.CountItems
	return s.await(ctx, "create tables in MySQL", store.EnsureSchema)
}

// mysqlLogger takes what the driver has to say, such as that it replaces a connection.
type mysqlLogger struct{ logger *slog.Logger }

// Print implements mysql.Logger.
func (l mysqlLogger) Print(v ...any) { l.logger.Warn("MySQL driver", "message", fmt.Sprint(v...)) }

func (s *Stack) openFeeds(ctx context.Context, uri string, embedded *sqlitestore.Store) error {
	if uri != "" {
		return s.openMongo(ctx, uri)
	}
	feeds, err := sqlitestore.NewFeedStore[post.Post](embedded, "post")
	if err != nil {
		return err
	}
	s.Parts.Feeds, s.ReadModel = feeds, feeds
	return nil
}

func (s *Stack) openMongo(ctx context.Context, uri string) error {
	parsed, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return fmt.Errorf("read the MongoDB URI: %w", err)
	}
	if parsed.Database == "" {
		parsed.Database = "microblog"
	}
	client, err := mongo.Connect(options.Client().
		SetServerSelectionTimeout(connectTimeout).SetConnectTimeout(connectTimeout).
		SetTimeout(mongoTimeout).SetHeartbeatInterval(mongoHeartbeat).
		ApplyURI(uri))
	if err != nil {
		return fmt.Errorf("read the MongoDB URI: %w", err)
	}
	s.opened("mongodb", fmt.Sprintf("%v/%s", parsed.Hosts, parsed.Database),
		func(ctx context.Context) error { return client.Ping(ctx, nil) },
		func() error { return client.Disconnect(context.WithoutCancel(ctx)) })

	feeds, err := mongostore.NewFeedStore[post.Post](client.Database(parsed.Database), mongostore.FeedStoreConfig{})
	if err != nil {
		return err
	}
	s.Parts.Feeds, s.ReadModel = feeds, feeds
	return s.await(ctx, "create collections in MongoDB", func(ctx context.Context) error {
		err := feeds.EnsureSchema(ctx)
		if errors.Is(err, mongostore.ErrSorts) {
			s.logger.WarnContext(ctx, "Pages of large feeds will be slow", "error", err)
			return nil
		}
		return err
	})
}
