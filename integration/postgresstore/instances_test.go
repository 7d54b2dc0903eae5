package postgresstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/livetest"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// openParts returns how an instance opens its parts, with a pool of its own.
func openParts(dsn string) func(testing.TB) livetest.Parts {
	return func(tb testing.TB) livetest.Parts {
		tb.Helper()
		store := newStore(tb, openDB(tb, dsn))
		items, err := postgresstore.NewRepository[cqrsfeedtest.Body](store, "item")
		require.NoError(tb, err)
		feeds, err := postgresstore.NewFeedStore[cqrsfeedtest.Body](store, "item")
		require.NoError(tb, err)
		live, err := postgresstore.NewLive(store, postgresstore.LiveConfig{}, watermill.NopLogger{})
		require.NoError(tb, err)
		require.NoError(tb, store.EnsureSchema(tb.Context()))
		return livetest.Parts{Outbox: store.Outbox(), Items: items, Feeds: feeds, Live: live}
	}
}

func TestInstances(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	livetest.TestInstances(t, openParts(dsn), func(t *testing.T) {
		t.Helper()
		const others = " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
		var ended int
		require.NoError(t, openDB(t, dsn).QueryRowContext(t.Context(), "SELECT count(pg_terminate_backend(pid))"+others).Scan(&ended))
		require.GreaterOrEqual(t, ended, 3)
	})
}

// BenchmarkTwoInstances has one of two idle instances write, and measures how long after the call of Create the open page of
// each shows the item. to-here is the ratio of the medians.
func BenchmarkTwoInstances(b *testing.B) {
	dsn := servers.SafePostgres(b)
	one, other := livetest.StartInstance(b, openParts(dsn), 0), livetest.StartInstance(b, openParts(dsn), 0)
	var here, there []time.Duration
	for n := 0; b.Loop(); {
		n++
		began := time.Now()
		_, err := one.Items.Create(b.Context(), fmt.Sprint("item-", n), cqrsfeedtest.Body{})
		require.NoError(b, err)
		here = append(here, one.Shows(b, n).Sub(began))
		there = append(there, other.Shows(b, n).Sub(began))
	}
	b.ReportMetric(at(here, 50), "here-p50-µs")
	b.ReportMetric(at(there, 50), "there-p50-µs")
	b.ReportMetric(at(here, 99), "here-p99-µs")
	b.ReportMetric(at(there, 99), "there-p99-µs")
	b.ReportMetric(float64(median(there))/float64(median(here)), "to-here")
}
