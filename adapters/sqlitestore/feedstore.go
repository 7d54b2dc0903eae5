package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// FeedStoreConfig says where a FeedStore keeps its tables.
type FeedStoreConfig struct {
	// TablePrefix stands in front of the names of the tables: 1 to 40 ASCII letters, digits and
	// underscores. Feed stores with different prefixes are independent. Defaults to "feed_".
	TablePrefix string
}

const maxPrefixLength = 40

func (c *FeedStoreConfig) setDefaults() {
	if c.TablePrefix == "" {
		c.TablePrefix = "feed_"
	}
}

// Validate says what is wrong with the configuration.
func (c FeedStoreConfig) Validate() error {
	c.setDefaults()
	if len(c.TablePrefix) > maxPrefixLength {
		return fmt.Errorf("%w: TablePrefix has %d bytes, at most %d are allowed",
			cqrsfeed.ErrInvalid, len(c.TablePrefix), maxPrefixLength)
	}
	return sqlstore.ValidateTable(c.TablePrefix)
}

// FeedStore keeps feeds in the tables of one SQLite file. Counts and revisions are exact after each Apply.
type FeedStore[T any] struct {
	database *sqlstore.Database
	tables   feedTables
}

var _ readmodel.Store[any] = (*FeedStore[any])(nil)

// NewFeedStore returns a feed store in db, which stays the caller's. It does not touch the database.
func NewFeedStore[T any](db *sql.DB, config FeedStoreConfig) (*FeedStore[T], error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("sqlitestore: feed store config: %w", err)
	}
	database, err := sqlstore.NewDatabase(db, dialect())
	if err != nil {
		return nil, err
	}
	return &FeedStore[T]{database: database, tables: newFeedTables(config.TablePrefix)}, nil
}

// EnsureSchema creates the tables unless they exist, and fails when others have their names.
func (s *FeedStore[T]) EnsureSchema(ctx context.Context) error {
	for _, table := range s.tables.all() {
		if err := s.database.EnsureTable(ctx, table.name, table.schema, table.columns); err != nil {
			return err
		}
	}
	return nil
}

// ItemVersion implements cqrsfeed.FeedStore.
func (s *FeedStore[T]) ItemVersion(ctx context.Context, id string) (int64, error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return 0, fmt.Errorf("sqlitestore: version of item: %w", err)
	}
	var version int64
	err := s.database.Retry(ctx, func() error {
		return s.database.DB().QueryRowContext(ctx, s.tables.selectVersion, id).Scan(&version)
	})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("sqlitestore: version of item %q: %w", id, err)
	}
	return version, nil
}
