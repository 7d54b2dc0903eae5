package mysqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

// BenchmarkCommitToPublish measures how long after a commit a relay that is otherwise idle calls Publish, beside the
// round trip of an empty statement: it is woken, begins a transaction and reads, which are four of them.
func BenchmarkCommitToPublish(b *testing.B) {
	for name, dsn := range map[string]string{"MySQL": servers.MySQL(b), "MariaDB": servers.MariaDB(b)} {
		b.Run(name, func(b *testing.B) {
			db, err := sql.Open("mysql", dsn+"?interpolateParams=true")
			require.NoError(b, err)
			defer db.Close()
			store, err := mysqlstore.New(db, mysqlstore.Config{})
			require.NoError(b, err)
			require.NoError(b, store.EnsureSchema(b.Context()))
			queue := store.Outbox()
			published := make(chan *message.Message, 1)
			relay, err := outbox.NewRelay(outbox.RelayConfig{
				Outbox: queue, Publisher: channelPublisher(published), PollInterval: time.Hour,
			}, nil)
			require.NoError(b, err)
			ctx, stop := context.WithCancel(b.Context())
			done := make(chan error)
			go func() { done <- relay.Run(ctx) }()

			var waits, trips []time.Duration
			for b.Loop() {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(b, err)
				require.NoError(b, queue.Add(ctx, tx, "t", message.NewMessage(watermill.NewUUID(), []byte("x"))))
				require.NoError(b, tx.Commit())
				committed := time.Now()
				queue.Committed()
				<-published
				waits = append(waits, time.Since(committed))
				began := time.Now()
				_, err = db.ExecContext(ctx, "DO 0")
				require.NoError(b, err)
				trips = append(trips, time.Since(began))
			}
			stop()
			require.NoError(b, <-done)
			slices.Sort(waits)
			slices.Sort(trips)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(trips[len(trips)/2].Microseconds()), "trip-p50-µs")
		})
	}
}

// BenchmarkCreate measures creating items by one writer and by 32 at once, who share transactions.
func BenchmarkCreate(b *testing.B) {
	for name, dsn := range map[string]string{"MySQL": servers.MySQL(b), "MariaDB": servers.MariaDB(b)} {
		for _, writers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/%d writers", name, writers), func(b *testing.B) {
				db, err := sql.Open("mysql", dsn+"?interpolateParams=true")
				require.NoError(b, err)
				defer db.Close()
				db.SetMaxIdleConns(writers)
				store, err := mysqlstore.New(db, mysqlstore.Config{})
				require.NoError(b, err)
				items, err := mysqlstore.NewRepository[string](store, "item")
				require.NoError(b, err)
				require.NoError(b, store.EnsureSchema(b.Context()))
				b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
				b.ResetTimer()
				if writers == 1 {
					for b.Loop() {
						_, err := items.Create(b.Context(), watermill.NewULID(), "hello")
						require.NoError(b, err)
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						_, err := items.Create(b.Context(), watermill.NewULID(), "hello")
						assert.NoError(b, err)
					}
				})
			})
		}
	}
}

// BenchmarkLook measures a Drain of one message beside deleted rows that the server keeps for an old snapshot, such as that
// of a dump: none, and 50,000.
func BenchmarkLook(b *testing.B) {
	for name, dsn := range map[string]string{"MySQL": servers.MySQL(b), "MariaDB": servers.MariaDB(b)} {
		db, err := sql.Open("mysql", dsn+"?interpolateParams=true")
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, db.Close()) })
		store, err := mysqlstore.New(db, mysqlstore.Config{})
		require.NoError(b, err)
		require.NoError(b, store.EnsureSchema(b.Context()))
		openSnapshot(b, dsn)
		for _, deleted := range []int{0, 50_000} {
			b.Run(fmt.Sprintf("%s/%d deleted rows", name, deleted), func(b *testing.B) {
				insertMessages(b, db, "t", deleted)
				for began := time.Now(); time.Since(began) < 3*time.Second; { // until the relay's marks have moved
					sqlstores.DrainExcept(b, store.Outbox(), 1000)
				}
				var looks []time.Duration
				for b.Loop() {
					insertMessages(b, db, "t", 1)
					began := time.Now()
					require.Equal(b, 1, sqlstores.DrainExcept(b, store.Outbox(), 100))
					looks = append(looks, time.Since(began))
				}
				slices.Sort(looks)
				b.ReportMetric(float64(looks[len(looks)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(looks[len(looks)*99/100].Microseconds()), "p99-µs")
			})
		}
	}
}
