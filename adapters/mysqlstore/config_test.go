package mysqlstore_test

import (
	"database/sql"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nowhere is a database without a server. Constructors make no request.
func nowhere(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", "nobody@tcp(127.0.0.1:1)/nothing")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestNamesThatAreRefused(t *testing.T) {
	t.Parallel()
	_, err := mysqlstore.New(nil, mysqlstore.Config{})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = mysqlstore.New(nowhere(t), mysqlstore.Config{TablePrefix: "out`box"})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	store, err := mysqlstore.New(nowhere(t), mysqlstore.Config{TablePrefix: "app_"})
	require.NoError(t, err)
	_, err = mysqlstore.NewRepository[string](store, "1")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `mysqlstore: new repository "1": `)
}

// TestNoServerIsAFailure: it is neither retried for long nor an unknown outcome.
func TestNoServerIsAFailure(t *testing.T) {
	t.Parallel()
	store, err := mysqlstore.New(nowhere(t), mysqlstore.Config{})
	require.NoError(t, err)
	require.ErrorContains(t, store.EnsureSchema(t.Context()), "mysqlstore: ensure schema: read settings: dial tcp 127.0.0.1:1")
	repository, err := mysqlstore.NewRepository[string](store, "item")
	require.NoError(t, err)
	_, err = repository.Create(t.Context(), "one", "")
	require.ErrorContains(t, err, `mysqlstore: create item "one": connect: dial tcp 127.0.0.1:1`)
	require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
	_, err = store.Outbox().Drain(t.Context(), 1, nil, nil)
	require.ErrorContains(t, err, "mysqlstore: drain the outbox (table outbox): connect:")
	err = store.InTx(t.Context(), func(*sql.Tx) error { return nil })
	require.ErrorContains(t, err, "mysqlstore: transaction: connect: dial tcp 127.0.0.1:1")
	require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
}
