package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	sqloutbox "github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func keepDeletedRows(dialect *sqldb.Dialect) { dialect.KeepsDeletedRows = true }

// add adds a message by a connection of its own, as another process does.
func add(t *testing.T, db *sql.DB, topic, uuid string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(),
		"INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES (?, ?, '{}', '', 1)", uuid, topic)
	require.NoError(t, err)
}

// drainAll gives all messages one outcome, and returns their UUIDs.
func drainAll(t *testing.T, queue outbox.Outbox, outcome outbox.Outcome) (uuids []string) {
	t.Helper()
	_, err := queue.Drain(t.Context(), 1000, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		for _, m := range batch {
			uuids = append(uuids, m.Message.UUID)
		}
		return slices.Repeat([]outbox.Result{{Outcome: outcome, Reason: sqlstoretest.ErrDisk}}, len(batch))
	})
	require.NoError(t, err)
	return uuids
}

// parkedIDs returns the ids of all parked messages.
func parkedIDs(t *testing.T, queue outbox.Operations) (ids []string) {
	t.Helper()
	parked, err := queue.Parked(t.Context(), "", 1000)
	require.NoError(t, err)
	for _, m := range parked {
		ids = append(ids, m.ID)
	}
	return ids
}

// TestOrderDuringUnpark: between two transactions of Unpark a newer message does not overtake those of the first.
func TestOrderDuringUnpark(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t, keepDeletedRows)
	f.Outbox.KeepOrder("ordered")
	add(t, f.DB, "ordered", "older")
	for i := range 100 {
		add(t, f.DB, "other", fmt.Sprint(i))
	}
	require.Len(t, drainAll(t, f.Outbox, outbox.Park), 101)
	ids := parkedIDs(t, f.Outbox)
	require.Len(t, ids, 101)
	for range 3 {
		f.Outbox.Age()
		require.Empty(t, drainAll(t, f.Outbox, outbox.Published))
	}

	transactions := 0
	var published []string
	f.Faults.Set("BEGIN", func(execute func() error) error {
		if transactions++; transactions == 2 {
			add(t, f.DB, "ordered", "newer")
			published = drainAll(t, f.Outbox, outbox.Keep)
		}
		return execute()
	})
	returned, err := f.Outbox.Unpark(t.Context(), ids...)
	require.NoError(t, err)
	assert.Equal(t, ids, returned)
	require.Len(t, published, 101)
	assert.Equal(t, "older", published[0])
	assert.Equal(t, "newer", published[100])
}

// TestOrderBehindALockedMessage: a mark does not rise above a message that another relay holds for long, so that newer ones
// wait for it. SQLite cannot lock rows: the message is moved away while a Drain takes its batch.
func TestOrderBehindALockedMessage(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t, keepDeletedRows)
	f.Outbox.KeepOrder("ordered")
	add(t, f.DB, "ordered", "held")
	add(t, f.DB, "other", "1")
	move := func(by string) {
		_, err := f.DB.ExecContext(t.Context(), "UPDATE outbox SET id = id - "+by+" WHERE uuid = 'held'")
		require.NoError(t, err)
	}
	f.Faults.Decide(func(statement string, execute func() error) error {
		if !strings.HasPrefix(statement, "SELECT id, uuid") {
			return execute()
		}
		move("1000")
		defer move("-1000")
		return execute()
	})
	require.Equal(t, []string{"1"}, drainAll(t, f.Outbox, outbox.Published))
	for range 3 {
		f.Outbox.Age()
		require.Empty(t, drainAll(t, f.Outbox, outbox.Published))
	}
	add(t, f.DB, "ordered", "newer")
	assert.Empty(t, drainAll(t, f.Outbox, outbox.Published))
}

// TestOrderWhenAnotherProcessReturnsAMessage: messages that waited for a parked one stay behind it.
func TestOrderWhenAnotherProcessReturnsAMessage(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t, keepDeletedRows)
	f.Outbox.KeepOrder("ordered")
	add(t, f.DB, "ordered", "older")
	require.Equal(t, []string{"older"}, drainAll(t, f.Outbox, outbox.Park))
	add(t, f.DB, "ordered", "newer")
	for range 3 {
		f.Outbox.Age()
		require.Empty(t, drainAll(t, f.Outbox, outbox.Published))
	}
	_, err := anotherProcess(t, f).Unpark(t.Context(), parkedIDs(t, f.Outbox)...)
	require.NoError(t, err)
	assert.Equal(t, []string{"older", "newer"}, drainAll(t, f.Outbox, outbox.Published))
}

func anotherProcess(t *testing.T, f sqlstoretest.Fixture) *sqloutbox.Outbox {
	t.Helper()
	dialect := sqlstoretest.Dialect()
	keepDeletedRows(&dialect)
	other, err := sqlstore.New(f.DB, dialect, sqlstore.Config{MaxEventBytes: limits.MaxEventBytes})
	require.NoError(t, err)
	return other.Outbox()
}

// TestOrderAfterReturnsAreForgotten: somebody empties the table that counts returns, and a return after that is one that
// no process has seen.
func TestOrderAfterReturnsAreForgotten(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(t *testing.T, f sqlstoretest.Fixture){
		"and another process starts": func(t *testing.T, f sqlstoretest.Fixture) {
			t.Helper()
			require.NoError(t, f.Store.EnsureSchema(t.Context()))
		},
		"and a message returns": func(*testing.T, sqlstoretest.Fixture) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sqlstoretest.Open(t, keepDeletedRows)
			f.Outbox.KeepOrder("ordered")
			other := anotherProcess(t, f)
			for round := range 2 {
				older, newer := fmt.Sprint("older-", round), fmt.Sprint("newer-", round)
				add(t, f.DB, "ordered", older)
				require.Equal(t, []string{older}, drainAll(t, f.Outbox, outbox.Park))
				add(t, f.DB, "ordered", newer)
				for range 3 {
					f.Outbox.Age()
					require.Empty(t, drainAll(t, f.Outbox, outbox.Published))
				}
				_, err := f.DB.ExecContext(t.Context(), "DELETE FROM outbox_returns")
				require.NoError(t, err)
				again(t, f)
				_, err = other.Unpark(t.Context(), parkedIDs(t, f.Outbox)...)
				require.NoError(t, err)
				require.Equal(t, []string{older, newer}, drainAll(t, f.Outbox, outbox.Published))
			}
		})
	}
}

// TestTheEarliestWakeCounts, in whatever order they are set.
func TestTheEarliestWakeCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := sqloutbox.New(sqldb.New(nil, sqlstoretest.Dialect(), "outbox"), "outbox", 1)
		for range 2 {
			began := time.Now()
			queue.WakeAfter(time.Hour)
			queue.WakeAfter(time.Second)
			queue.WakeAfter(time.Minute)
			<-queue.Wake()
			assert.Equal(t, time.Second, time.Since(began))
		}
		time.AfterFunc(2*time.Hour, queue.Committed)
		began := time.Now()
		<-queue.Wake()
		assert.Equal(t, 2*time.Hour, time.Since(began), "one call, one wake")
	})
}
