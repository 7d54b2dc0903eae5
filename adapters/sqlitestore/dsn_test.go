package sqlitestore_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
)

func TestDSNSettings(t *testing.T) {
	t.Parallel()
	path := freshPath(t)
	db := openDB(t, sqlitestore.DSN(path))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "1",
	} {
		var got string
		require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		assert.Equal(t, want, got, pragma)
	}
	_, err := os.Stat(path)
	require.NoError(t, err, "the file has the name that was asked for")
}

// TestDSNTransactionsTakeTheWriteLock: a second transaction is refused at its begin and does not fail later.
func TestDSNTransactionsTakeTheWriteLock(t *testing.T) {
	t.Parallel()
	path := freshPath(t)
	first, err := openDB(t, sqlitestore.DSN(path)).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = first.Rollback() }()
	_, err = openDB(t, sqlitestore.DSN(path)+"&_timeout=0").BeginTx(t.Context(), nil)
	require.ErrorContains(t, err, "SQLITE_BUSY")
}
