package sqlstore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestConfigsNameEveryProblem(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, name := range []string{"a b", "1a", "a`b", `a"b`, "a;b", "a.b", "é", "sqlite_x", "a2345678901234567890123456789012345678901234567890123456789"} {
		require.ErrorIs(t, sqlstore.OutboxConfig{Table: name}.Validate(), cqrsfeed.ErrInvalid, name)
	}
	topics := cqrsfeed.Topics{Created: "c", Updated: "u", Deleted: "d"}
	require.NoError(t, sqlstore.RepositoryConfig{Table: strings.Repeat("a", 60), Topics: topics}.Validate())
	require.ErrorIs(t, sqlstore.RepositoryConfig{Table: strings.Repeat("a", 61), Topics: topics}.Validate(), cqrsfeed.ErrInvalid)
	for _, name := range []string{"", "a", "_A1", "Order"} {
		require.NoError(t, sqlstore.OutboxConfig{Table: name}.Validate(), name)
	}

	_, err := sqlstore.NewOutbox(nil, dialect(), sqlstore.OutboxConfig{})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = sqlstore.NewRepository[string](f.db, dialect(), nil, sqlstore.RepositoryConfig{Table: "a b"})
	require.ErrorContains(t, err, "faulty: repository config: ")
	for _, problem := range []string{"no Outbox", `table name "a b"`, "topic Created is empty", "topic Deleted is empty"} {
		require.ErrorContains(t, err, problem)
	}
	_, err = sqlstore.NewRepository[string](f.db, dialect(), f.queue, sqlstore.RepositoryConfig{Table: "OutBox", Topics: topics})
	require.ErrorContains(t, err, "table OutBox is the outbox's")
	_, err = sqlstore.NewRepository[string](f.db, dialect(), f.queue, sqlstore.RepositoryConfig{Table: "outbox_parked", Topics: topics})
	require.ErrorContains(t, err, "table outbox_parked is the outbox's")
	_, err = sqlstore.NewRepository[string](open(t).db, dialect(), f.queue, sqlstore.RepositoryConfig{Topics: topics})
	require.ErrorContains(t, err, "another *sql.DB")
}

func TestEnsureSchemaFindsOtherTables(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := f.db.ExecContext(t.Context(), "CREATE TABLE mine (id TEXT)")
	require.NoError(t, err)
	outbox, err := sqlstore.NewOutbox(f.db, dialect(), sqlstore.OutboxConfig{Table: "mine"})
	require.NoError(t, err)
	require.ErrorContains(t, outbox.EnsureSchema(t.Context()), "table mine does not have the columns that it should")
	f.faults.set("CREATE", func(func() error) error { return errDisk })
	require.NoError(t, f.queue.EnsureSchema(t.Context()), "tables that are there need no right to create them")
	require.NoError(t, f.repository.EnsureSchema(t.Context()))
}

// TestNoChangeWithoutItsEvent breaks the outbox alone.
func TestNoChangeWithoutItsEvent(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.faults.set("INSERT INTO outbox", func(func() error) error { return errDisk })
	_, err := f.repository.Create(t.Context(), "two", "")
	require.ErrorIs(t, err, errDisk)
	_, err = f.repository.Get(t.Context(), "two")
	require.ErrorIs(t, err, cqrsfeed.ErrNotFound)
	_, err = f.repository.Update(t.Context(), "one", appendX)
	require.ErrorIs(t, err, errDisk)
	_, err = f.repository.Delete(t.Context(), "one")
	require.ErrorIs(t, err, errDisk)
	f.requireVersion(t, 1)
}

func TestBodiesThatDoNotDecodeNameTheirItem(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := f.db.ExecContext(t.Context(), `UPDATE items SET body = '{"not":"a string"}'`)
	require.NoError(t, err)
	const problem = `decode body of item "one" version 1`
	_, err = f.repository.Get(t.Context(), "one")
	require.ErrorContains(t, err, problem)
	_, err = f.repository.Scan(t.Context(), "", 10)
	require.ErrorContains(t, err, problem)
	_, err = f.repository.Update(t.Context(), "one", appendX)
	require.ErrorContains(t, err, problem)
}

func TestBodiesThatDoNotEncodeAreRefused(t *testing.T) {
	t.Parallel()
	f := open(t)
	topics := cqrsfeed.Topics{Created: "c", Updated: "u", Deleted: "d"}
	functions, err := sqlstore.NewRepository[func()](f.db, dialect(), f.queue, sqlstore.RepositoryConfig{Topics: topics})
	require.NoError(t, err)
	_, err = functions.Create(t.Context(), "f", func() {})
	_, unsupported := errors.AsType[*json.UnsupportedTypeError](err)
	assert.True(t, unsupported)
	require.ErrorContains(t, err, `create item "f" in table items: encode body`)

	raw, err := sqlstore.NewRepository[json.RawMessage](f.db, dialect(), f.queue, sqlstore.RepositoryConfig{Topics: topics})
	require.NoError(t, err)
	_, err = raw.Create(t.Context(), "raw", json.RawMessage("\"\xff\""))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	assert.Zero(t, f.drain(t))
}
