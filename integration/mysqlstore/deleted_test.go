package mysqlstore_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

// TestDeletedRowsCostNothing counts the pages that a Drain reads while the server keeps 50,000 deleted rows for an old snapshot,
// such as that of a dump: as many as without them. Handler_read counters do not show rows that are deleted.
func TestDeletedRowsCostNothing(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]func(t *testing.T) (*servers.Own, string){"MySQL": servers.OwnMySQL, "MariaDB": servers.OwnMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dsn := own(t) // what it reads is this test's alone
			db := openDB(t, dsn)
			queue := openOutbox(t, db)
			openSnapshot(t, dsn)
			insert := func(topic string, n int) { insertMessages(t, db, topic, n) }
			insert("blocked", 300)
			sqlstores.RequireDeletedRowsCostNothing(t, queue, insert, func() (pages int) {
				var name string
				require.NoError(t, db.QueryRowContext(t.Context(),
					"SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_read_requests'").Scan(&name, &pages))
				return pages
			})
		})
	}
}

// openSnapshot keeps the server from forgetting what is deleted from now on.
func openSnapshot(tb testing.TB, dsn string) {
	tb.Helper()
	db, err := sql.Open("mysql", dsn)
	require.NoError(tb, err)
	conn, err := db.Conn(tb.Context())
	require.NoError(tb, err)
	tb.Cleanup(func() {
		require.NoError(tb, conn.Close())
		require.NoError(tb, db.Close())
	})
	_, err = conn.ExecContext(tb.Context(), "START TRANSACTION WITH CONSISTENT SNAPSHOT")
	require.NoError(tb, err)
}
