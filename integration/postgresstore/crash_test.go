package postgresstore_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

// crashing is a database whose processes are stopped.
func crashing(t *testing.T, dsn string) sqlstores.Crashing {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	return sqlstores.Crashing{Connector: stdlib.GetConnector(*config), New: postgresstore.New}
}

// feedProcesses creates the schema, and opens the feed store for processes.
func feedProcesses(t *testing.T, dsn string) crashtest.FeedStoreProcesses {
	t.Helper()
	openFeedStore(t, openDB(t, dsn))
	return crashtest.FeedStoreProcesses{HoldsLocks: true, Open: crashing(t, dsn).FeedStore}
}

// TestFeedStoreCrashes stops processes at every statement of the feed store.
func TestFeedStoreCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestFeedStore(t, func(t *testing.T) crashtest.FeedStoreProcesses {
		t.Helper()
		return feedProcesses(t, servers.Postgres(t))
	})
}

// TestPipelineCrashes stops writers, relays and projectors at every statement, all on one database.
func TestPipelineCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestPipeline(t, func(t *testing.T) crashtest.PipelineProcesses {
		t.Helper()
		dsn := servers.Postgres(t)
		openRepository(t, openDB(t, dsn))
		return crashtest.PipelineProcesses{Topics: topics(), WriteModel: crashing(t, dsn).WriteModel, Feeds: feedProcesses(t, dsn)}
	})
}

// TestTableProjectionCrashes stops writers, relays and the projection's processes at every statement.
func TestTableProjectionCrashes(t *testing.T) {
	t.Parallel()
	crashtest.TestTableProjection(t, func(t *testing.T) crashtest.TableProcesses {
		t.Helper()
		return crashing(t, servers.Postgres(t)).Tables(t)
	})
}
