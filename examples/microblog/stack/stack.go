// Package stack opens the servers, or their embedded stand-ins, that the microblog runs on: a write model, a
// read model and a broker, each chosen on its own.
package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

var (
	// ErrInUse is returned by Open when another process has the data folder.
	ErrInUse = errors.New("data folder is in use")
	// ErrNoData is returned by Open when the data folder has no data, and has to have some.
	ErrNoData = errors.New("no microblog has its data there")
)

// What is in the data folder.
const (
	databaseFile = "microblog.db"
	brokerDir    = "nats"
)

// Config chooses the parts. Where an address is empty the part is embedded and keeps its files in DataDir.
type Config struct {
	// DataDir is where embedded parts keep their files. It is created when it is needed, and used by one
	// microblog at a time.
	DataDir string
	// MySQLDSN is the data source name of a MySQL or MariaDB database for the posts, such as
	// "user:password@tcp(host:3306)/microblog".
	MySQLDSN string
	// MongoURI is the address of a MongoDB database for the feeds, such as "mongodb://host:27017/microblog".
	MongoURI string
	// NATSURL is the address of a NATS server with JetStream for the events, such as "nats://host:4222".
	NATSURL string
	// Existing refuses to create embedded stores: who looks after a microblog's data wants no empty ones.
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
	// Runs says on what, part by part, for people: no passwords.
	Runs []slog.Attr

	logger *slog.Logger
	pings  []func(context.Context) error
	closes []func() error
}

// Open connects to the servers, waits for those that are still starting, creates what is missing in them
// (tables, collections, the stream), and returns the parts. On failure nothing stays open.
func Open(ctx context.Context, config Config, logger *slog.Logger) (_ *Stack, err error) {
	if config.StartTimeout == 0 {
		config.StartTimeout = time.Minute
	}
	s := &Stack{logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, config.StartTimeout)
	defer cancel()

	if config.MySQLDSN == "" || config.MongoURI == "" || config.NATSURL == "" {
		if config.DataDir, err = filepath.Abs(config.DataDir); err != nil {
			return nil, fmt.Errorf("find the data folder: %w", err)
		}
		if err := config.missing(); config.Existing && err != nil {
			return nil, fmt.Errorf("open %s (choose another with -data-dir): %w", config.DataDir, err)
		}
		if err := os.MkdirAll(config.DataDir, 0o750); err != nil {
			return nil, fmt.Errorf("create the data folder: %w", err)
		}
		unlock, err := lockDataDir(config.DataDir)
		if err != nil {
			return nil, err
		}
		s.closes = append(s.closes, unlock)
	}
	if err := s.openStores(ctx, config); err != nil {
		return nil, err
	}
	if err := s.openBroker(ctx, config); err != nil {
		return nil, err
	}
	s.Parts.Ping = s.ping
	return s, nil
}

// missing says whether there is nothing of what is embedded.
func (c Config) missing() error {
	what := brokerDir
	if c.MySQLDSN == "" || c.MongoURI == "" {
		what = databaseFile
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, what)); errors.Is(err, os.ErrNotExist) {
		return ErrNoData
	}
	return nil
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

// ping fails when one of the servers does not answer.
func (s *Stack) ping(ctx context.Context) error {
	var failures []error
	for _, ping := range s.pings {
		failures = append(failures, ping(ctx))
	}
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

// await repeats a first step with a server until it works or ctx ends: at the start of a whole system the
// servers come up in any order.
func (s *Stack) await(ctx context.Context, what string, step func(context.Context) error) error {
	const pause = 500 * time.Millisecond
	for {
		err := step(ctx)
		if err == nil {
			return nil
		}
		s.logger.WarnContext(ctx, "Waiting for a server", "doing", what, "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-time.After(pause):
		}
	}
}
