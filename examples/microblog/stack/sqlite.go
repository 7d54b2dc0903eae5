package stack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

var (
	// ErrInUse is returned by Open when another process uses the data folder.
	ErrInUse = errors.New("data folder is in use")
	// ErrNoData is returned by Open when the data folder has no data although Config.Existing is set.
	ErrNoData = errors.New("no microblog has its data there")
)

// openSQLite opens the stores that are on no server: both are in one file.
func (s *Stack) openSQLite(ctx context.Context, config Config) error {
	file, err := s.databaseFile(config)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", sqlitestore.DSN(file))
	if err != nil {
		return fmt.Errorf("open SQLite file %s: %w", file, err)
	}
	s.opened("sqlite", file, db.PingContext, db.Close)
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	if err != nil {
		return err
	}
	if config.MySQLDSN == "" {
		s.Outbox = store.Outbox()
		if s.Posts, err = sqlitestore.NewRepository[post.Post](store, api.Kind); err != nil {
			return err
		}
	}
	if config.MongoURI == "" {
		if s.Feeds, err = sqlitestore.NewFeedStore[post.Post](store, api.Kind); err != nil {
			return err
		}
	}
	return store.EnsureSchema(ctx)
}

// databaseFile makes the data folder this process's own, and returns the name of the database in it.
func (s *Stack) databaseFile(config Config) (string, error) {
	dir, err := filepath.Abs(config.DataDir)
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w", err)
	}
	file := filepath.Join(dir, "microblog.db")
	if _, err := os.Stat(file); config.Existing && errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("open %s (choose another with -data-dir): %w", dir, ErrNoData)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("create the data folder: %w", err)
	}
	return file, s.lock(dir)
}

// lock makes the data folder this process's own. Two microblogs on one database without a broker would not tell each other's
// pages what changed.
func (s *Stack) lock(dir string) error {
	lock := flock.New(filepath.Join(dir, "lock"))
	s.closes = append(s.closes, lock.Close)
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	if !locked {
		return fmt.Errorf("another microblog uses %s: stop the microblog that serves from there, or choose another folder "+
			"with -data-dir: %w", dir, ErrInUse)
	}
	return nil
}
