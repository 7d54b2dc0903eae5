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

// nowhere is a database that is never connected to: the constructors ask it for nothing.
func nowhere(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", "nobody@tcp(127.0.0.1:1)/nothing")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestConfigs(t *testing.T) {
	t.Parallel()
	db := nowhere(t)
	_, err := mysqlstore.NewOutbox(nil, mysqlstore.OutboxConfig{})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = mysqlstore.NewOutbox(db, mysqlstore.OutboxConfig{Table: "out`box"})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorIs(t, mysqlstore.OutboxConfig{Table: "out`box"}.Validate(), cqrsfeed.ErrInvalid)
	require.NoError(t, mysqlstore.OutboxConfig{}.Validate())

	outbox, err := mysqlstore.NewOutbox(db, mysqlstore.OutboxConfig{})
	require.NoError(t, err)
	topics := cqrsfeed.Topics{Created: "c", Updated: "u", Deleted: "d"}
	_, err = mysqlstore.NewRepository[string](db, outbox, mysqlstore.RepositoryConfig{Topics: topics})
	require.NoError(t, err)
	_, err = mysqlstore.NewRepository[string](db, nil, mysqlstore.RepositoryConfig{Topics: topics})
	require.ErrorContains(t, err, "mysqlstore: repository config: no Outbox")
	_, err = mysqlstore.NewRepository[string](nowhere(t), outbox, mysqlstore.RepositoryConfig{Topics: topics})
	require.ErrorContains(t, err, "another *sql.DB")
	require.ErrorContains(t, mysqlstore.RepositoryConfig{Table: "1"}.Validate(), "topic Updated is empty")
}

// TestNoServerIsAFailure, and not one that is retried for long or leaves anything unknown.
func TestNoServerIsAFailure(t *testing.T) {
	t.Parallel()
	db := nowhere(t)
	outbox, err := mysqlstore.NewOutbox(db, mysqlstore.OutboxConfig{})
	require.NoError(t, err)
	require.ErrorContains(t, outbox.EnsureSchema(t.Context()), "mysqlstore: create table outbox: dial tcp 127.0.0.1:1")
	repository, err := mysqlstore.NewRepository[string](db, outbox, mysqlstore.RepositoryConfig{
		Topics: cqrsfeed.Topics{Created: "c", Updated: "u", Deleted: "d"},
	})
	require.NoError(t, err)
	_, err = repository.Create(t.Context(), "one", "")
	require.ErrorContains(t, err, `mysqlstore: create item "one" in table items: connect: dial tcp 127.0.0.1:1`)
	require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
	_, err = outbox.Drain(t.Context(), 1, nil, nil)
	require.ErrorContains(t, err, "mysqlstore: drain outbox outbox: connect:")
}
