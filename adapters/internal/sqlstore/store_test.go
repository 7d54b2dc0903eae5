package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestNamesThatAreRefused(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := sqlstore.New(nil, dialect(), sqlstore.Config{})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = sqlstore.NewRepository[string](nil, "item")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.NoError(t, sqlstore.Config{}.Validate())
	require.NoError(t, sqlstore.Config{TablePrefix: "app_"}.Validate())
	for _, name := range []string{
		"a b", "1a", "a`b", `a"b`, "a;b", "a.b", "é", "a\x00", "sqlite_x", "SQLite_x", strings.Repeat("a", 41),
	} {
		_, err := sqlstore.New(f.db, dialect(), sqlstore.Config{TablePrefix: name})
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
		require.ErrorContains(t, err, "faulty: store config: ", name)
		_, err = sqlstore.NewRepository[string](f.store, name)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
	}
	_, err = sqlstore.NewRepository[string](f.store, "")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	for _, name := range []string{"a", "_A1", "Order", strings.Repeat("a", 40)} {
		_, err := sqlstore.NewRepository[string](f.store, name)
		require.NoError(t, err, name)
	}
	prefixed, err := sqlstore.New(f.db, dialect(), sqlstore.Config{TablePrefix: strings.Repeat("p", 30)})
	require.NoError(t, err)
	_, err = sqlstore.NewRepository[string](prefixed, strings.Repeat("a", 11))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

// TestATableHasOneOwner: two repositories of a name would share rows, and one that is called outbox those of the outbox.
func TestATableHasOneOwner(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, name := range []string{"item", "Item", "outbox", "OutBox", "outbox_parked"} {
		_, err := sqlstore.NewRepository[string](f.store, name)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
		require.ErrorContains(t, err, `faulty: new repository "`+name+`": `)
		require.ErrorContains(t, err, "table "+name+" is in use")
	}
}

// TestAPrefixSeparatesApplications that share a database.
func TestAPrefixSeparatesApplications(t *testing.T) {
	t.Parallel()
	f := open(t)
	other, err := sqlstore.New(f.db, dialect(), sqlstore.Config{TablePrefix: "other_"})
	require.NoError(t, err)
	items, err := sqlstore.NewRepository[string](other, "item")
	require.NoError(t, err)
	require.NoError(t, other.EnsureSchema(t.Context()))
	_, err = items.Create(t.Context(), "one", "of the other")
	require.NoError(t, err)
	assert.Zero(t, f.drain(t))
	f.requireVersion(t, 1)
	var id string
	require.NoError(t, f.db.QueryRowContext(t.Context(), "SELECT id FROM other_item").Scan(&id))
	require.NoError(t, f.db.QueryRowContext(t.Context(), "SELECT topic FROM other_outbox").Scan(&id))
	assert.Equal(t, "item-created", id, "the prefix is not part of topics")
}

func TestEnsureSchemaFindsOtherTables(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.faults.set("CREATE", func(func() error) error { return errDisk })
	require.NoError(t, f.store.EnsureSchema(t.Context()), "tables that are there need no right to create them")
	f.faults.set("", func(execute func() error) error { return execute() })
	_, err := f.db.ExecContext(t.Context(), "CREATE TABLE mine (id TEXT)")
	require.NoError(t, err)
	_, err = sqlstore.NewRepository[string](f.store, "mine")
	require.NoError(t, err)
	err = f.store.EnsureSchema(t.Context())
	require.ErrorContains(t, err, "faulty: ensure schema: table mine must have the columns id, version, ")
}

// addIn returns a function for InTx that adds a message.
func addIn(ctx context.Context, f fixture) func(tx *sql.Tx) error {
	return func(tx *sql.Tx) error { return f.queue.Add(ctx, tx, "topic", message.NewMessage("1", nil)) }
}

func awake(f fixture) bool {
	select {
	case <-f.queue.Wake():
		return true
	default:
		return false
	}
}

func TestInTxCommitsAndWakesTheRelay(t *testing.T) {
	t.Parallel()
	f := open(t)
	require.NoError(t, f.store.InTx(t.Context(), addIn(t.Context(), f)))
	assert.True(t, awake(f))
	assert.Equal(t, 1, f.drain(t))
}

// TestInTxRollsBack after an error, which it returns as it is, after a panic, and when its context ended.
func TestInTxRollsBack(t *testing.T) {
	t.Parallel()
	f := open(t)
	add := addIn(t.Context(), f)
	err := f.store.InTx(t.Context(), func(tx *sql.Tx) error { return errors.Join(add(tx), errAgain) })
	require.EqualError(t, err, errAgain.Error())
	assert.Panics(t, func() {
		_ = f.store.InTx(t.Context(), func(tx *sql.Tx) error {
			assert.NoError(t, add(tx))
			panic("body")
		})
	})
	ctx, cancel := context.WithCancel(t.Context())
	err = f.store.InTx(ctx, func(tx *sql.Tx) error {
		defer cancel()
		return add(tx)
	})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
	err = f.store.InTx(t.Context(), func(tx *sql.Tx) error { return tx.Rollback() })
	require.ErrorContains(t, err, "must not commit or roll back")
	assert.False(t, awake(f))
	assert.Zero(t, f.drain(t))
	require.NoError(t, f.store.InTx(t.Context(), add), "no connection and no turn was lost")
}

// TestInTxTellsWhatItDoesNotKnow: after a commit that failed for certain nothing is there and nobody is woken; after a
// lost one the relay has to look.
func TestInTxTellsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		commit  func(execute func() error) error
		unknown bool
		events  int
	}{
		"refused":        {func(func() error) error { return errDisk }, false, 0},
		"busy":           {func(func() error) error { return errAgain }, false, 0},
		"lost before it": {func(func() error) error { return errLost }, true, 0},
		"lost after it":  {func(execute func() error) error { return errors.Join(execute(), errLost) }, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			calls := 0
			f.faults.set("COMMIT", c.commit)
			err := f.store.InTx(t.Context(), func(tx *sql.Tx) error {
				calls++
				return addIn(t.Context(), f)(tx)
			})
			require.ErrorContains(t, err, "faulty: transaction: commit: ")
			assert.Equal(t, c.unknown, errors.Is(err, cqrsfeed.ErrUnknownOutcome))
			assert.Equal(t, c.unknown, awake(f))
			assert.Equal(t, 1, calls, "it is not tried again")
			f.faults.set("", func(execute func() error) error { return execute() })
			assert.Equal(t, c.events, f.drain(t))
			require.NoError(t, f.store.InTx(t.Context(), addIn(t.Context(), f)), "no transaction was left open")
		})
	}
}
