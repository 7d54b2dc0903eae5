// Package stack opens what the microblog runs on: a write model and a read model, each a server or embedded, and a broker
// or none.
package stack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	_ "modernc.org/sqlite" // the driver of the embedded database

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

var (
	// ErrInUse is returned by Open when another process uses the data folder.
	ErrInUse = errors.New("data folder is in use")
	// ErrNoData is returned by Open when the data folder has no data although Config.Existing is set.
	ErrNoData = errors.New("no microblog has its data there")
)

// databaseFile is the embedded database in the data folder.
const databaseFile = "microblog.db"

// Config chooses the parts. A store without an address is embedded and keeps its files in DataDir.
type Config struct {
	// DataDir is created when it is needed, and used by one microblog at a time.
	DataDir string
	// MySQLDSN is a MySQL or MariaDB database for the posts, such as "user:password@tcp(host:3306)/microblog".
	MySQLDSN string
	// MongoURI is a MongoDB database for the feeds, such as "mongodb://host:27017/microblog".
	MongoURI string
	// NATSURL is a NATS server with JetStream, such as "nats://host:4222". Without one the events stay in this process.
	NATSURL string
	// Existing refuses to create embedded stores, for commands that work on the data of a microblog.
	Existing bool
	// StartTimeout is how long Open waits for servers that do not answer yet. Defaults to one minute.
	StartTimeout time.Duration
}

// Stack is what the microblog runs on, opened.
type Stack struct {
	Parts app.Parts
	// ReadModel is Parts.Feeds, for commands that rebuild and audit it.
	ReadModel readmodel.Store[post.Post]
	// CountPosts returns the number of posts, deleted ones included.
	CountPosts func(context.Context) (int64, error)
	// Runs says on what each part runs, without passwords.
	Runs []slog.Attr

	logger *slog.Logger
	pings  []func(context.Context) error
	closes []func() error
}

// Open connects to the servers, waits for those that are still starting, creates what is missing in them (tables,
// collections, the stream), and returns the parts. After an error nothing stays open.
func Open(ctx context.Context, config Config, logger *slog.Logger) (_ *Stack, err error) {
	if config.StartTimeout == 0 {
		config.StartTimeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, config.StartTimeout)
	defer cancel()
	s := &Stack{logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if config.MySQLDSN == "" || config.MongoURI == "" {
		if err := s.openDataDir(&config); err != nil {
			return nil, err
		}
	}
	if err := s.openStores(ctx, config); err != nil {
		return nil, err
	}
	if config.NATSURL != "" {
		if err := s.openNATS(ctx, config.NATSURL); err != nil {
			return nil, err
		}
	}
	s.Parts.Ping = func(ctx context.Context) error {
		var failures []error
		for _, ping := range s.pings {
			failures = append(failures, ping(ctx))
		}
		return errors.Join(failures...)
	}
	return s, nil
}

// openDataDir makes the data folder this process's own.
func (s *Stack) openDataDir(config *Config) (err error) {
	if config.DataDir, err = filepath.Abs(config.DataDir); err != nil {
		return fmt.Errorf("find the data folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(config.DataDir, databaseFile)); config.Existing && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open %s (choose another with -data-dir): %w", config.DataDir, ErrNoData)
	}
	if err := os.MkdirAll(config.DataDir, 0o750); err != nil {
		return fmt.Errorf("create the data folder: %w", err)
	}
	unlock, err := lockDataDir(config.DataDir)
	if err == nil {
		s.closes = append(s.closes, unlock)
	}
	return err
}

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
	if config.MySQLDSN != "" {
		if err := s.openMySQL(ctx, config.MySQLDSN); err != nil {
			return err
		}
	} else {
		posts, err := sqlitestore.NewRepository(embedded, api.Kind, cqrsfeed.CheckFeeds(post.FeedsOf))
		if err != nil {
			return err
		}
		s.Parts.Posts, s.Parts.Outbox, s.CountPosts = posts, embedded.Outbox(), posts.CountItems
	}
	if config.MongoURI != "" {
		if err := s.openMongo(ctx, config.MongoURI); err != nil {
			return err
		}
	} else {
		feeds, err := sqlitestore.NewFeedStore[post.Post](embedded, api.Kind)
		if err != nil {
			return err
		}
		s.Parts.Feeds, s.ReadModel = feeds, feeds
	}
	if embedded == nil {
		return nil
	}
	return embedded.EnsureSchema(ctx)
}

// Close closes what Open opened, the last first.
func (s *Stack) Close() error {
	var failures []error
	for _, closing := range slices.Backward(s.closes) {
		failures = append(failures, closing())
	}
	s.closes = nil
	return errors.Join(failures...)
}

// opened notes a part that has to be pinged and closed.
func (s *Stack) opened(what, where string, ping func(context.Context) error, closing func() error) {
	s.Runs = append(s.Runs, slog.String(what, where))
	if ping != nil {
		s.pings = append(s.pings, func(ctx context.Context) error { return wrap(ping(ctx), "reach %s at %s", what, where) })
	}
	s.closes = append(s.closes, func() error { return wrap(closing(), "close %s", what) })
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// await repeats a first step with a server until it works or ctx ends: the servers of a system start in any order.
func (s *Stack) await(ctx context.Context, what string, step func(context.Context) error) error {
	for {
		err := step(ctx)
		if err == nil {
			return nil
		}
		s.logger.WarnContext(ctx, "Waiting for a server", "doing", what, "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
