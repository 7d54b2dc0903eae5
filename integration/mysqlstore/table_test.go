package mysqlstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/tabletest"
)

func TestTableProjection(t *testing.T) {
	t.Parallel()
	withEachSettings(t, func(t *testing.T, fresh func(t *testing.T) string) {
		t.Helper()
		tabletest.TestProjection(t, func(t *testing.T) tabletest.Fixture {
			t.Helper()
			db := openDB(t, fresh(t))
			store := newStore(t, db)
			return tabletest.Fixture{DB: db, New: func(name string, step tabletest.Step) tabletest.Projection {
				p, err := mysqlstore.NewTableProjection(store, name, step)
				require.NoError(t, err)
				require.NoError(t, store.EnsureSchema(t.Context()))
				return p
			}}
		})
	})
}

// TestTableProjectionCrashes stops writers, relays and the projection's processes at every statement.
func TestTableProjectionCrashes(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		crashtest.TestTableProjection(t, func(t *testing.T) crashtest.TableProcesses {
			t.Helper()
			return crashing(t, s.fresh(t)).Tables(t)
		})
	})
}
