package mysqlstore_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// settings are DSNs that must make no difference. The variable for the isolation level has two names.
func settings(isolation string) map[string]func(*mysql.Config) {
	return map[string]func(*mysql.Config){
		"the driver's defaults": func(*mysql.Config) {},
		"other settings": func(c *mysql.Config) {
			c.InterpolateParams = true
			c.ParseTime = true
			c.Loc = time.Local
			c.ClientFoundRows = true
			c.Collation = "utf8mb4_general_ci"
			c.Params = map[string]string{
				"time_zone": "'-11:00'",
				"sql_mode":  "'ANSI,NO_BACKSLASH_ESCAPES'",
				isolation:   "'SERIALIZABLE'",
			}
		},
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		for name, change := range settings(s.isolation) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cqrsfeedtest.TestRepository(t, func(t *testing.T) cqrsfeedtest.RepositoryFixture {
					t.Helper()
					repository, outbox := openRepository(t, openDB(t, withSettings(t, s.fresh(t), change)))
					return cqrsfeedtest.RepositoryFixture{Repository: repository, Outbox: outbox, Topics: topics()}
				})
			})
		}
	})
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		for name, change := range settings(s.isolation) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cqrsfeedtest.TestOutbox(t, func(t *testing.T) cqrsfeedtest.OutboxFixture {
					t.Helper()
					return outboxFixture(t, withSettings(t, s.fresh(t), change))
				})
			})
		}
	})
}

func outboxFixture(t *testing.T, dsn string) cqrsfeedtest.OutboxFixture {
	t.Helper()
	store := newStore(t, openDB(t, dsn))
	require.NoError(t, store.EnsureSchema(t.Context()))
	return cqrsfeedtest.OutboxFixture{
		Outbox:        store.Outbox(),
		Other:         openOutbox(t, openDB(t, dsn)),
		LocksMessages: true,
		Transaction: func(ctx context.Context, do func(message.Publisher) error) error {
			return store.InTx(ctx, func(tx *sql.Tx) error { return do(store.Outbox().Publisher(tx)) })
		},
	}
}
