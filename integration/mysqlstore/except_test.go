package mysqlstore_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

// TestTopicsThatAreLeftOutCostNothing counts the rows that a Drain reads while 100,000 messages of a topic wait that is left
// out: a few for each message that it takes.
func TestTopicsThatAreLeftOutCostNothing(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		db.SetMaxOpenConns(1) // the status is the session's
		queue := openOutbox(t, db)
		insert := func(topic string, n int) { insertMessages(t, db, topic, n) }
		insert("a-blocked", 50_000)
		insert("good", 300)
		insert("z-blocked", 50_000)
		insert("other", 300)

		drain := func(except ...string) int { return sqlstores.DrainExcept(t, queue, 100, except...) }
		for _, want := range []int{100, 100, 100, 100, 100, 100, 0} {
			before := rowsRead(t, db)
			require.Equal(t, want, drain("a-blocked", "z-blocked"))
			read := rowsRead(t, db) - before
			t.Logf("%d messages: %d rows read", want, read)
			assert.Less(t, read, 1000)
		}
		before := rowsRead(t, db)
		require.Equal(t, 100, drain())
		assert.Less(t, rowsRead(t, db)-before, 1000, "the index is not used where it does not help")
	})
}

// insertMessages puts many messages of one topic into the outbox.
func insertMessages(tb testing.TB, db *sql.DB, topic string, n int) {
	tb.Helper()
	_, err := db.ExecContext(tb.Context(), fmt.Sprintf(`INSERT INTO outbox (uuid, topic, metadata, payload, created_at)
		SELECT '', '%s', '{}', REPEAT('x', 300), 1 FROM
		(SELECT 0 FROM information_schema.COLUMNS AS a, information_schema.COLUMNS AS b LIMIT %d) AS n`, topic, n))
	require.NoError(tb, err)
}

// rowsRead returns how many rows the session's statements have read.
func rowsRead(t *testing.T, db *sql.DB) int {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SHOW SESSION STATUS LIKE 'Handler_read%'")
	require.NoError(t, err)
	defer rows.Close()
	sum := 0
	for rows.Next() {
		var name string
		var n int
		require.NoError(t, rows.Scan(&name, &n))
		sum += n
	}
	require.NoError(t, rows.Err())
	return sum
}
