// Package stack opens what the microblog runs on: a write model and a read model, each a server or embedded, and a broker
// or none.
package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/feedmill/feedmill/examples/microblog/app"
)

// Config chooses the parts. A store without an address is embedded and keeps its files in DataDir.
type Config struct {
	// DataDir is created when it is needed, and used by one microblog at a time.
	DataDir string
	// PostgresDSN is a PostgreSQL database for posts and feeds, such as "postgres://user:password@host/microblog". It excludes
	// MySQLDSN and MongoURI.
	PostgresDSN string
	// PostgresListenDSN is the same database, not through a pooler, to hear of the changes of other instances. Defaults to
	// PostgresDSN.
	PostgresListenDSN string
	// MySQLDSN is a MySQL or MariaDB database for the posts, such as "user:password@tcp(host:3306)/microblog".
	MySQLDSN string
	// MongoURI is a MongoDB database for the feeds, such as "mongodb://host:27017/microblog".
	MongoURI string
	// NATSURL is a NATS server with JetStream, such as "nats://host:4222". Without one only instances on
	// one PostgreSQL hear of each other.
	NATSURL string
	// NATSReplicas is the number of servers of a NATS cluster that store each event, 1 to 5. Defaults to that of the stream, which
	// is 1 for a new one.
	NATSReplicas int
	// Existing refuses to create embedded stores, for commands that work on the data of a microblog.
	Existing bool
	// StartTimeout is how long Open waits for a server that does not answer yet. Defaults to one minute.
	StartTimeout time.Duration
}

// Stack is what the microblog runs on, opened.
type Stack struct {
	app.Parts

	logger   *slog.Logger
	patience time.Duration
	closes   []func() error
}

// Open connects to the servers, waits for those that are still starting, creates what is missing in them (tables,
// collections, the stream), and returns the parts. After an error nothing stays open.
func Open(ctx context.Context, config Config, logger *slog.Logger) (*Stack, error) {
	if config.PostgresDSN != "" && (config.MySQLDSN != "" || config.MongoURI != "") {
		return nil, errors.New("posts and feeds are either in PostgreSQL or in MySQL and MongoDB: give one of them")
	}
	metrics, err := app.NewMetrics()
	if err != nil {
		return nil, err
	}
	s := &Stack{Parts: app.Parts{Metrics: metrics}, logger: logger, patience: cmp.Or(config.StartTimeout, time.Minute)}
	for _, part := range []struct {
		wanted bool
		open   func(context.Context, Config) error
	}{
		{config.PostgresDSN == "" && (config.MySQLDSN == "" || config.MongoURI == ""), s.openSQLite},
		{config.PostgresDSN != "", s.openPostgres},
		{config.MySQLDSN != "", s.openMySQL},
		{config.MongoURI != "", s.openMongo},
		{config.NATSURL != "", s.openNATS},
	} {
		if !part.wanted {
			continue
		}
		if err := part.open(ctx, config); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
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

// opened notes a part that has to be checked and closed.
func (s *Stack) opened(what, where string, check func(context.Context) error, closing func() error) {
	s.Runs = append(s.Runs, slog.String(what, where))
	s.Checks = append(s.Checks, func(ctx context.Context) error {
		if err := check(ctx); err != nil {
			return fmt.Errorf("reach %s at %s: %w", what, where, err)
		}
		return nil
	})
	s.closes = append(s.closes, closing)
}

// await repeats a first step with a server until it works, for StartTimeout: the servers of a system start in any order.
func (s *Stack) await(ctx context.Context, what string, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
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
