package mysqlstore_test

import (
	"database/sql/driver"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/ordertest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/outboxtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/repositorytest"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

const defaults = "the driver's defaults"

// settings are DSNs that must make no difference. The variable for the isolation level has two names.
func settings(isolation string) map[string]func(*mysql.Config) {
	return map[string]func(*mysql.Config){
		defaults: func(*mysql.Config) {},
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

// withEachSettings runs test on MySQL with each settings, and on MariaDB with the other ones: with the defaults most tests here
// run on both. fresh makes the DSN of an empty database.
func withEachSettings(t *testing.T, test func(t *testing.T, fresh func(t *testing.T) string)) {
	t.Helper()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		each := settings(s.isolation)
		if s.name == "MariaDB" {
			delete(each, defaults)
		}
		for name, change := range each {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, func(t *testing.T) string {
					t.Helper()
					return withSettings(t, s.fresh(t), change)
				})
			})
		}
	})
}

func TestRepository(t *testing.T) {
	t.Parallel()
	withEachSettings(t, func(t *testing.T, fresh func(t *testing.T) string) {
		t.Helper()
		repositorytest.TestRepository(t, func(t *testing.T) repositorytest.Fixture {
			t.Helper()
			db := openDB(t, fresh(t))
			repository, outbox := openRepository(t, db)
			raw, err := mysqlstore.NewRepository[json.RawMessage](newStore(t, db), "item")
			require.NoError(t, err)
			return repositorytest.Fixture{Repository: repository, Raw: raw, Outbox: outbox, Topics: topics()}
		})
	})
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	withEachSettings(t, func(t *testing.T, fresh func(t *testing.T) string) {
		t.Helper()
		outboxtest.TestOutbox(t, func(t *testing.T) outboxtest.Fixture {
			t.Helper()
			return outboxFixture(t, fresh(t))
		})
	})
}

func outboxFixture(t *testing.T, dsn string) outboxtest.Fixture {
	t.Helper()
	db, before := sqlstores.Intercept(t, connector(t, dsn))
	f := sqlstores.OutboxFixture(t, db, newStore(t, db), newStore(t, openDB(t, dsn)), "TRUNCATE TABLE outbox")
	f.Before = before
	return f
}

func connector(t *testing.T, dsn string) driver.Connector {
	t.Helper()
	config, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	return connector
}

func TestOrder(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		open := func() (*mysqlstore.Repository[string], *mysqlstore.Outbox) {
			store, err := mysqlstore.New(openDB(t, dsn), mysqlstore.Config{Topics: cqrsfeed.PartitionsOf})
			require.NoError(t, err)
			repository, err := mysqlstore.NewRepository[string](store, "item")
			require.NoError(t, err)
			require.NoError(t, store.EnsureSchema(t.Context()))
			return repository, store.Outbox()
		}
		repository, outbox := open()
		_, other := open()
		ordertest.TestOrder(t, ordertest.Fixture{
			Repository: repository, Topics: repository.Topics(), Outbox: outbox, Other: other,
		})
	})
}
