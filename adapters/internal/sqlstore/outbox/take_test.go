package outbox_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestTopicsThatAreLeftOutCostNothing: on SQLite no statement of a Drain scans the table. A test of
// integration/mysqlstore counts the rows that MySQL reads.
func TestTopicsThatAreLeftOutCostNothing(t *testing.T) {
	t.Parallel()
	connector, err := sqlite.NewConnector(sqlitestore.DSN(t.TempDir() + "/topics.db"))
	require.NoError(t, err)
	faults := &sqlstoretest.Faults{}
	db := faults.Open(connector)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	_, err = db.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
		INSERT INTO outbox (uuid, topic, metadata, payload, created_at) SELECT i, 'blocked', '{}', '', i FROM n`)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES ('a', 'good', '{}', '', 1)`)
	require.NoError(t, err)

	var mu sync.Mutex
	statements := map[string]bool{}
	faults.Decide(func(statement string, execute func() error) error {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(statement, "SELECT") {
			statements[statement] = true
		}
		return execute()
	})
	_, err = store.Outbox().Drain(t.Context(), 100, []string{"blocked"}, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		assert.Len(t, batch, 1)
		return []outbox.Result{{Outcome: outbox.Published}}
	})
	require.NoError(t, err)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, statements, 3)
	for statement := range statements {
		plan := queryPlan(t, connector, statement)
		assert.Contains(t, plan, "SEARCH outbox USING", statement)
		assert.NotContains(t, plan, "SCAN", statement)
		assert.NotContains(t, plan, "TEMP B-TREE", statement)
	}
}

func queryPlan(t *testing.T, connector driver.Connector, statement string) string {
	t.Helper()
	db := sql.OpenDB(connector)
	defer db.Close()
	args := []any{"blocked", 1, 1}[:strings.Count(statement, "?")]
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, args...)
	require.NoError(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, "\n")
}
