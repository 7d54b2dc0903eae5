package sqlitestore_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

func TestRepository(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) *sql.DB{
		"recommended settings":  openFile,
		"the driver's defaults": openPlain,
		"in memory":             openMemory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cqrsfeedtest.TestRepository(t, func(t *testing.T) cqrsfeedtest.RepositoryFixture {
				t.Helper()
				return repositoryFixture(t, open(t))
			})
		})
	}
}

func TestFeedStore(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) *sql.DB{
		"recommended settings": openFile,
		"in memory":            openMemory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cqrsfeedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
				t.Helper()
				return openFeedStore(t, open(t))
			})
		})
	}
}

func repositoryFixture(t *testing.T, db *sql.DB) cqrsfeedtest.RepositoryFixture {
	t.Helper()
	repository, outbox := openRepository(t, db)
	return cqrsfeedtest.RepositoryFixture{Repository: repository, Outbox: outbox, Topics: topics()}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	cqrsfeedtest.TestOutbox(t, func(t *testing.T) cqrsfeedtest.OutboxFixture {
		t.Helper()
		path := freshPath(t)
		store := newStore(t, openDB(t, sqlitestore.DSN(path)))
		require.NoError(t, store.EnsureSchema(t.Context()))
		return cqrsfeedtest.OutboxFixture{
			Outbox: store.Outbox(),
			Other:  openOutbox(t, openDB(t, sqlitestore.DSN(path))),
			Transaction: func(ctx context.Context, do func(message.Publisher) error) error {
				return store.InTx(ctx, func(tx *sql.Tx) error { return do(store.Outbox().Publisher(tx)) })
			},
		}
	})
}
