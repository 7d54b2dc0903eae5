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
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/repository"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestNamesThatAreRefused(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	_, err := sqlstore.New(nil, sqlstoretest.Dialect(), sqlstore.Config{})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = repository.New[string](nil, "item")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.NoError(t, sqlstore.Config{}.Validate())
	require.NoError(t, sqlstore.Config{TablePrefix: "app_"}.Validate())
	for _, name := range []string{
		"a b", "1a", "a`b", `a"b`, "a;b", "a.b", "é", "a\x00", "sqlite_x", "SQLite_x", strings.Repeat("a", 41),
	} {
		_, err := sqlstore.New(f.DB, sqlstoretest.Dialect(), sqlstore.Config{TablePrefix: name})
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
		require.ErrorContains(t, err, "faulty: store config: ", name)
		_, err = repository.New[string](f.Store, name)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
	}
	_, err = repository.New[string](f.Store, "")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	for _, name := range []string{"a", "_A1", "Order", strings.Repeat("a", 40)} {
		_, err := repository.New[string](f.Store, name)
		require.NoError(t, err, name)
	}
	prefixed, err := sqlstore.New(f.DB, sqlstoretest.Dialect(), sqlstore.Config{TablePrefix: strings.Repeat("p", 30)})
	require.NoError(t, err)
	_, err = repository.New[string](prefixed, strings.Repeat("a", 11))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

// TestATableHasOneOwner: two repositories of a name would share rows. A repository with the name outbox would share the
// outbox's.
func TestATableHasOneOwner(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	for _, name := range []string{"item", "Item", "outbox", "OutBox", "outbox_parked"} {
		_, err := repository.New[string](f.Store, name)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
		require.ErrorContains(t, err, `faulty: new repository "`+name+`": `)
		require.ErrorContains(t, err, "table "+name+" is in use")
	}
}

// TestAPrefixSeparatesApplications that share a database.
func TestAPrefixSeparatesApplications(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	other, err := sqlstore.New(f.DB, sqlstoretest.Dialect(), sqlstore.Config{TablePrefix: "other_"})
	require.NoError(t, err)
	items, err := repository.New[string](other, "item")
	require.NoError(t, err)
	require.NoError(t, other.EnsureSchema(t.Context()))
	_, err = items.Create(t.Context(), "one", "of the other")
	require.NoError(t, err)
	assert.Zero(t, f.Drain(t))
	f.RequireVersion(t, 1)
	var id string
	require.NoError(t, f.DB.QueryRowContext(t.Context(), "SELECT id FROM other_item").Scan(&id))
	require.NoError(t, f.DB.QueryRowContext(t.Context(), "SELECT topic FROM other_outbox").Scan(&id))
	assert.Equal(t, "item-created", id, "the prefix is not part of topics")
}

func TestEnsureSchemaFindsOtherTables(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	f.Faults.Set("CREATE", func(func() error) error { return sqlstoretest.ErrDisk })
	require.NoError(t, f.Store.EnsureSchema(t.Context()), "tables that are there need no right to create them")
	f.Faults.Set("", func(execute func() error) error { return execute() })
	_, err := f.DB.ExecContext(t.Context(), "CREATE TABLE mine (id TEXT)")
	require.NoError(t, err)
	_, err = repository.New[string](f.Store, "mine")
	require.NoError(t, err)
	err = f.Store.EnsureSchema(t.Context())
	require.ErrorContains(t, err, "faulty: ensure schema: table mine must have the columns id, version, ")
}

// addIn returns a function for InTx that adds a message.
func addIn(ctx context.Context, f sqlstoretest.Fixture) func(tx *sql.Tx) error {
	return func(tx *sql.Tx) error { return f.Outbox.Add(ctx, tx, "topic", message.NewMessage("1", nil)) }
}

func awake(f sqlstoretest.Fixture) bool {
	select {
	case <-f.Outbox.Wake():
		return true
	default:
		return false
	}
}

func TestInTxCommitsAndWakesTheRelay(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	require.NoError(t, f.Store.InTx(t.Context(), addIn(t.Context(), f)))
	assert.True(t, awake(f))
	assert.Equal(t, 1, f.Drain(t))
}

// TestInTxRollsBack after an error, which it returns unchanged, after a panic, and when its context has ended.
func TestInTxRollsBack(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	add := addIn(t.Context(), f)
	err := f.Store.InTx(t.Context(), func(tx *sql.Tx) error { return errors.Join(add(tx), sqlstoretest.ErrAgain) })
	require.EqualError(t, err, sqlstoretest.ErrAgain.Error())
	assert.Panics(t, func() {
		_ = f.Store.InTx(t.Context(), func(tx *sql.Tx) error {
			assert.NoError(t, add(tx))
			panic("body")
		})
	})
	ctx, cancel := context.WithCancel(t.Context())
	err = f.Store.InTx(ctx, func(tx *sql.Tx) error {
		defer cancel()
		return add(tx)
	})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
	err = f.Store.InTx(t.Context(), func(tx *sql.Tx) error { return tx.Rollback() })
	require.ErrorContains(t, err, "must not commit or roll back")
	assert.False(t, awake(f))
	assert.Zero(t, f.Drain(t))
	require.NoError(t, f.Store.InTx(t.Context(), add), "no connection and no turn was lost")
}

// TestInTxTellsWhatItDoesNotKnow: after a commit that certainly failed, no message is there and the relay is not woken.
// After a lost commit the relay is woken.
func TestInTxTellsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		commit  func(execute func() error) error
		unknown bool
		events  int
	}{
		"refused":        {func(func() error) error { return sqlstoretest.ErrDisk }, false, 0},
		"busy":           {func(func() error) error { return sqlstoretest.ErrAgain }, false, 0},
		"lost before it": {func(func() error) error { return sqlstoretest.ErrLost }, true, 0},
		"lost after it":  {func(execute func() error) error { return errors.Join(execute(), sqlstoretest.ErrLost) }, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sqlstoretest.Open(t)
			calls := 0
			f.Faults.Set("COMMIT", c.commit)
			err := f.Store.InTx(t.Context(), func(tx *sql.Tx) error {
				calls++
				return addIn(t.Context(), f)(tx)
			})
			require.ErrorContains(t, err, "faulty: transaction: commit: ")
			assert.Equal(t, c.unknown, errors.Is(err, cqrsfeed.ErrUnknownOutcome))
			assert.Equal(t, c.unknown, awake(f))
			assert.Equal(t, 1, calls, "it is not tried again")
			f.Faults.Set("", func(execute func() error) error { return execute() })
			assert.Equal(t, c.events, f.Drain(t))
			require.NoError(t, f.Store.InTx(t.Context(), addIn(t.Context(), f)), "no transaction was left open")
		})
	}
}
