package sqlstoretest

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	sqloutbox "github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/repository"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// Dialect is that of a database with Faults.
func Dialect() sqldb.Dialect {
	classify := func(err error) sqldb.Verdict {
		switch {
		case errors.Is(err, ErrAgain):
			return sqldb.Again
		case errors.Is(err, ErrLost):
			return sqldb.Lost
		case strings.Contains(err.Error(), "UNIQUE constraint"):
			return sqldb.Duplicate
		default:
			return sqldb.Permanent
		}
	}
	return sqldb.Dialect{
		Name:           "faulty",
		Quote:          func(table string) string { return table },
		BeginChange:    []string{"BEGIN IMMEDIATE"},
		DeleteIDs:      func(table, ids string) string { return "DELETE FROM " + table + " WHERE id IN (" + ids + ")" },
		OneWriter:      true,
		Classify:       classify,
		ClassifyCommit: classify,
		NoTransaction:  func(err error) bool { return strings.Contains(err.Error(), "no transaction") },
		ItemsSchema: func(table string) []string {
			return []string{"CREATE TABLE IF NOT EXISTS " + table + " (id TEXT PRIMARY KEY, version, body, created_at, updated_at, deleted)"}
		},
		OutboxSchema: func(table string) []string {
			return []string{"CREATE TABLE IF NOT EXISTS " + table +
				" (id INTEGER PRIMARY KEY AUTOINCREMENT, uuid, topic, metadata, payload, created_at)"}
		},
		ParkedSchema: func(table string) []string {
			return []string{"CREATE TABLE IF NOT EXISTS " + table +
				" (id INTEGER PRIMARY KEY AUTOINCREMENT, place, uuid, topic, metadata, payload, created_at, reason, attempts, parked_at)"}
		},
	}
}

// Fixture is a store with one item, "one", and an empty outbox.
type Fixture struct {
	DB         *sql.DB
	Faults     *Faults
	Store      *sqlstore.Store
	Outbox     *sqloutbox.Outbox
	Repository *repository.Repository[string]
}

// Open returns a Fixture in a file of its own. change may change its Dialect.
func Open(t *testing.T, change ...func(dialect *sqldb.Dialect)) Fixture {
	t.Helper()
	connector, err := sqlite.NewConnector("file:" + t.TempDir() + "/faulty.db?_journal_mode=WAL&_busy_timeout=5000")
	require.NoError(t, err)
	f := Fixture{Faults: &Faults{}}
	f.DB = f.Faults.Open(connector)
	t.Cleanup(func() { require.NoError(t, f.DB.Close()) })
	dialect := Dialect()
	for _, change := range change {
		change(&dialect)
	}
	f.Store, err = sqlstore.New(f.DB, dialect, sqlstore.Config{MaxEventBytes: limits.MaxEventBytes})
	require.NoError(t, err)
	f.Outbox = f.Store.Outbox()
	f.Repository, err = repository.New[string](f.Store, "item")
	require.NoError(t, err)
	require.NoError(t, f.Store.EnsureSchema(t.Context()))
	_, err = f.Repository.Create(t.Context(), "one", "first")
	require.NoError(t, err)
	f.Drain(t)
	<-f.Outbox.Wake()
	return f
}

// Drain empties the outbox and returns how much there was.
func (f Fixture) Drain(t *testing.T) int {
	t.Helper()
	taken, err := f.Outbox.Drain(t.Context(), 100, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	return taken
}

// RequireVersion requires that the item "one" has the version.
func (f Fixture) RequireVersion(t *testing.T, version int64) {
	t.Helper()
	item, err := f.Repository.Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, version, item.Version)
}
