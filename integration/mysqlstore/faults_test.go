package mysqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func setText(text string) func(*cqrsfeedtest.Body) error {
	return func(body *cqrsfeedtest.Body) error {
		body.Text = text
		return nil
	}
}

// outboxLength empties the outbox.
func outboxLength(t *testing.T, queue outbox.Outbox) int {
	t.Helper()
	taken, err := queue.Drain(t.Context(), 1000, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	return taken
}

// drainRefusingFirst empties the outbox with a broker that refuses the first message.
func drainRefusingFirst(t *testing.T, queue outbox.Outbox) (int, error) {
	t.Helper()
	return queue.Drain(t.Context(), 1000, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		results := slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
		results[0] = outbox.Result{Outcome: outbox.Park, Reason: errors.New("no")}
		return results
	})
}

func refuseFirst(t *testing.T, queue outbox.Outbox) {
	t.Helper()
	_, err := drainRefusingFirst(t, queue)
	require.NoError(t, err)
}

// TestAConnectionLostBeforeCommit is nothing that the caller has to know of.
func TestAConnectionLostBeforeCommit(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		db := openDB(t, dsn)
		db.SetMaxOpenConns(1) // so that its number can be asked for
		repository, queue := openRepository(t, db)
		_, err := repository.Create(t.Context(), "one", cqrsfeedtest.Body{})
		require.NoError(t, err)
		var connection int64
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&connection))
		admin := openDB(t, dsn)

		calls := 0
		item, err := repository.Update(t.Context(), "one", func(body *cqrsfeedtest.Body) error {
			calls++
			if calls == 1 {
				if _, err := admin.ExecContext(t.Context(), fmt.Sprintf("KILL %d", connection)); err != nil {
					return err
				}
			}
			body.Text += "once"
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 2, calls)
		assert.Equal(t, int64(2), item.Version)
		assert.Equal(t, "once", item.Body.Text)
		assert.Equal(t, 2, outboxLength(t, queue))
	})
}

// TestADeadlockIsTriedAgain makes one: a transaction that holds what the repository's writes next, and wants
// what it holds. The server ends the smaller one, which is the repository's.
func TestADeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		db := openDB(t, dsn)
		repository, queue := openRepository(t, db)
		_, err := repository.Create(t.Context(), "one", cqrsfeedtest.Body{})
		require.NoError(t, err)
		// A row of the application's own, that a trigger makes every event touch.
		for _, statement := range []string{
			"CREATE TABLE heavy (id INT PRIMARY KEY, n INT)", "INSERT INTO heavy VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)",
			"CREATE TRIGGER touch BEFORE INSERT ON outbox FOR EACH ROW UPDATE heavy SET n = n + 1 WHERE id = 0",
		} {
			_, err = db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		other, err := openDB(t, dsn).BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer func() { _ = other.Rollback() }()
		_, err = other.ExecContext(t.Context(), "UPDATE heavy SET n = n + 1")
		require.NoError(t, err)

		var calls atomic.Int64
		otherDone := make(chan error, 1)
		_, err = repository.Update(t.Context(), "one", func(*cqrsfeedtest.Body) error {
			if calls.Add(1) == 1 { // it holds the item now and will want the heavy row
				go func() {
					_, err := other.ExecContext(t.Context(), "UPDATE item SET deleted = FALSE WHERE id = 'one'")
					otherDone <- errors.Join(err, other.Rollback())
				}()
			}
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, <-otherDone, "the other one was to survive")
		assert.Greater(t, calls.Load(), int64(1), "there was no deadlock")
		assert.Equal(t, 2, outboxLength(t, queue))
	})
}

// TestALockTimeoutIsTriedAgain: somebody holds the item for longer than the session waits for a lock.
func TestALockTimeoutIsTriedAgain(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		repository, _ := openRepository(t, openDB(t, withSettings(t, dsn, func(c *mysql.Config) {
			c.Params = map[string]string{"innodb_lock_wait_timeout": "1"}
		})))
		_, err := repository.Create(t.Context(), "one", cqrsfeedtest.Body{})
		require.NoError(t, err)
		db := openDB(t, dsn)
		holder, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer func() { _ = holder.Rollback() }()
		_, err = holder.ExecContext(t.Context(), "SELECT id FROM item WHERE id = 'one' FOR UPDATE")
		require.NoError(t, err)

		before := lockTimeouts(t, db)
		done := make(chan error, 1)
		go func() {
			_, err := repository.Update(t.Context(), "one", setText("patient"))
			done <- err
		}()
		require.Eventually(t, func() bool { return lockTimeouts(t, db) >= before+2 }, time.Minute, 20*time.Millisecond,
			"the server's count of lock timeouts")
		require.Empty(t, done, "it did not wait")
		require.NoError(t, holder.Rollback())
		require.NoError(t, <-done)
	})
}

// lockTimeouts is how many there were on the server. No other test makes any.
func lockTimeouts(t *testing.T, db *sql.DB) int64 {
	t.Helper()
	var count int64
	require.NoError(t, db.QueryRowContext(t.Context(),
		"SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_timeouts'").Scan(&count))
	return count
}
