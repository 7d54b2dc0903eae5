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
	ErrInUse = errors.New("another microblog uses it: stop the microblog that serves from there, or choose another folder with -data-dir")
	// ErrNoData is returned by Open when the data folder has no data although Config.Existing is set.
	ErrNoData = errors.New("no microblog has its data there: choose another folder with -data-dir")
)

// openSQLite opens the stores that are on no server: both are in one file.
func (s *Stack) openSQLite(ctx context.Context, c Config) error {
	file := filepath.Join(c.DataDir, "microblog.db")
	if _, err := os.Stat(file); c.Existing && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open the data folder %s: %w", c.DataDir, ErrNoData)
	}
	if err := s.lock(c.DataDir); err != nil {
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
	if c.MySQLDSN == "" {
		s.Outbox = store.Outbox()
		if s.Posts, err = sqlitestore.NewRepository[post.Post](store, api.Kind); err != nil {
			return err
		}
	}
	if c.MongoURI == "" {
		if s.Feeds, err = sqlitestore.NewFeedStore[post.Post](store, api.Kind); err != nil {
			return err
		}
	}
	return store.EnsureSchema(ctx)
}

// lock makes the data folder this process's own. Two microblogs on one database without a broker would not tell each other's
// pages what changed.
func (s *Stack) lock(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("create the data folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	s.closes = append(s.closes, lock.Close)
	locked, err := lock.TryLock()
	if err == nil && !locked {
		err = ErrInUse
	}
	if err != nil {
		return fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	return nil
}
