package mysqlstore_test

import (
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/servers"
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
			insert("good", 1)
			looks := map[string]func(){
				"all topics":  func() { drainExcept(t, queue, 1000) },
				"some topics": func() { drainExcept(t, queue, 1000, "blocked") },
				"the backlog": func() {
					_, err := queue.Backlog(t.Context())
					require.NoError(t, err)
				},
			}
			looks["all topics"]()
			before := map[string]int{}
			for name, look := range looks {
				before[name] = leastPagesRead(t, db, look)
			}
			insert("good", 50_000)
			insert("zulu", 50)
			insert("good", 50)
			for drainExcept(t, queue, 1000, "blocked") > 0 {
			}
			for name, look := range looks {
				deadline := time.Now().Add(20 * time.Second)
				after := leastPagesRead(t, db, look)
				for after > before[name]+20 && time.Now().Before(deadline) {
					after = leastPagesRead(t, db, look)
				}
				assert.Less(t, after, before[name]+20, "%s: deleted rows are read", name)
			}
			insert("blocked", 1)
			insert("new", 2)
			require.Eventually(t, func() bool { return drainExcept(t, queue, 10, "blocked") == 2 },
				10*time.Second, 10*time.Millisecond, "a topic that is new while another one is left out")
			assert.Equal(t, 1, drainExcept(t, queue, 10))
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

// leastPagesRead returns how many pages a look reads: the least of several, because the server reads some for itself.
func leastPagesRead(t *testing.T, db *sql.DB, look func()) int {
	t.Helper()
	pages := func() (n int) {
		var name string
		require.NoError(t, db.QueryRowContext(t.Context(),
			"SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_read_requests'").Scan(&name, &n))
		return n
	}
	var counts []int
	for range 5 {
		before := pages()
		look()
		counts = append(counts, pages()-before)
	}
	return slices.Min(counts)
}
