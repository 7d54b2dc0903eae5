package postgresstore_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nowhere is a database without a server. Constructors make no request.
func nowhere(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", "postgres://nobody@127.0.0.1:1/nothing?sslmode=disable")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestNamesThatAreRefused(t *testing.T) {
	t.Parallel()
	_, err := postgresstore.New(nil, postgresstore.Config{})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = postgresstore.New(nowhere(t), postgresstore.Config{TablePrefix: "out`box"})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	store, err := postgresstore.New(nowhere(t), postgresstore.Config{TablePrefix: "app_"})
	require.NoError(t, err)
	_, err = postgresstore.NewRepository[string](store, "1")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `postgresstore: new repository "1": `)
}

// TestNoServerIsAFailure: it is neither retried for long nor an unknown outcome.
func TestNoServerIsAFailure(t *testing.T) {
	t.Parallel()
	store, err := postgresstore.New(nowhere(t), postgresstore.Config{})
	require.NoError(t, err)
	require.ErrorContains(t, store.EnsureSchema(t.Context()), "postgresstore: ensure schema: read settings: failed to connect to")
	repository, err := postgresstore.NewRepository[string](store, "item")
	require.NoError(t, err)
	_, err = repository.Create(t.Context(), "one", "")
	require.ErrorContains(t, err, `postgresstore: create item "one": connect: failed to connect to`)
	require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
	_, err = store.Outbox().Drain(t.Context(), 1, nil, nil)
	require.ErrorContains(t, err, "postgresstore: drain the outbox (table outbox): connect:")
	err = store.InTx(t.Context(), func(*sql.Tx) error { return nil })
	require.ErrorContains(t, err, "postgresstore: transaction: connect: failed to connect")
	require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
}

// TestAFeedStoreNeedsPostgreSQL: a store of another database has the same type and is refused.
func TestAFeedStoreNeedsPostgreSQL(t *testing.T) {
	t.Parallel()
	other, err := mysqlstore.New(nowhere(t), mysqlstore.Config{})
	require.NoError(t, err)
	_, err = postgresstore.NewFeedStore[string](other, "a")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `"mysqlstore"`)
	_, err = postgresstore.NewFeedStore[string](nil, "a")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

// TestLiveNeedsAConnectionOfItsOwn beside those of a relay and its projections, which would wait for ever.
func TestLiveNeedsAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		most    int
		listens *sql.DB
		refused bool
	}{
		"one": {1, nil, true}, "two": {2, nil, true}, "three": {3, nil, false}, "no bound": {0, nil, false},
		"another database": {2, nowhere(t), false},
	} {
		db := nowhere(t)
		db.SetMaxOpenConns(test.most)
		store, err := postgresstore.New(db, postgresstore.Config{})
		require.NoError(t, err)
		_, err = postgresstore.NewLive(store, postgresstore.LiveConfig{DB: test.listens}, nil)
		if !test.refused {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
		require.ErrorContains(t, err, "SetMaxOpenConns with 3 or more, or set LiveConfig.DB", name)
	}
}
