package postgresstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// BenchmarkFeedWriters has 32 writers apply new items one by one, all into one feed and each into a feed of its own in
// turn. to-own is the ratio of the medians.
func BenchmarkFeedWriters(b *testing.B) {
	const writers, each = 32, 20
	db := openDB(b, servers.SafePostgres(b))
	db.SetMaxOpenConns(writers)
	db.SetMaxIdleConns(writers)
	feeds := openFeedStore(b, db)
	written := 0
	write := func(feedOf func(writer int) string) time.Duration {
		written++
		var writing sync.WaitGroup
		began := time.Now()
		for writer := range writers {
			writing.Go(func() {
				for n := range each {
					_, err := feeds.Apply(b.Context(), []cqrsfeed.FeedChange[cqrsfeedtest.Body]{{
						Item:  cqrsfeed.Item[cqrsfeedtest.Body]{ID: fmt.Sprintf("%d-%d-%d", written, writer, n), Version: 1, CreatedAt: time.Now()},
						Feeds: []string{feedOf(writer)},
					}})
					if err != nil {
						panic(err)
					}
				}
			})
		}
		writing.Wait()
		return time.Since(began)
	}
	var one, own []time.Duration
	for b.Loop() {
		one = append(one, write(func(int) string { return "one" }))
		own = append(own, write(func(writer int) string { return fmt.Sprintf("feed-%d", writer) }))
	}
	page, err := feeds.Page(b.Context(), "one", "", 1)
	require.NoError(b, err)
	require.EqualValues(b, len(one)*writers*each, page.Feed.Count)
	require.EqualValues(b, len(one)*writers*each, page.Feed.Revision)
	b.ReportMetric(float64(median(one))/float64(median(own)), "to-own")
	b.ReportMetric(writers*each/median(one).Seconds(), "one-feed/s")
	b.ReportMetric(writers*each/median(own).Seconds(), "own-feeds/s")
}

// BenchmarkPage reads the first page of 50 and one from the middle, of feeds of 1,000 and of 1,000,000 items in turn.
// to-small is the ratio of the medians.
func BenchmarkPage(b *testing.B) {
	const small, large, limit = 1_000, 1_000_000, 50
	db := openDB(b, servers.Postgres(b))
	feeds := openFeedStore(b, db)
	fill := func(feed string, size int) string {
		for _, statement := range []string{
			`INSERT INTO item_feed_items SELECT '%[1]s-' || lpad(n::text, 7, '0'), 1, 0, false, n * 1000000::bigint, n * 1000000::bigint,
				convert_to('{"text":"' || repeat('some words about it ', 8) || '"}', 'UTF8'), '[]' FROM generate_series(1, %[2]d) AS n`,
			`INSERT INTO item_feed_entries SELECT '%[1]s', n * 1000000::bigint, '%[1]s-' || lpad(n::text, 7, '0') FROM generate_series(1, %[2]d) AS n`,
			`INSERT INTO item_feed_feeds (name, rev, count, changed_at) VALUES ('%[1]s', 1, %[2]d, 0)`,
		} {
			_, err := db.ExecContext(b.Context(), fmt.Sprintf(statement, feed, size))
			require.NoError(b, err)
		}
		return driver.EncodeCursor(driver.Position{CreatedAt: time.Unix(int64(size/2), 0), ID: fmt.Sprintf("%s-%07d", feed, size/2)})
	}
	smallMiddle, largeMiddle := fill("small", small), fill("large", large)
	_, err := db.ExecContext(b.Context(), "VACUUM ANALYZE")
	require.NoError(b, err)
	read := func(feed, cursor string) time.Duration {
		began := time.Now()
		page, err := feeds.Page(b.Context(), feed, cursor, limit)
		took := time.Since(began)
		require.NoError(b, err)
		require.Len(b, page.Items, limit)
		return took
	}
	for _, from := range []struct{ name, small, large string }{{"first", "", ""}, {"middle", smallMiddle, largeMiddle}} {
		b.Run(from.name, func(b *testing.B) {
			var smalls, larges []time.Duration
			for b.Loop() {
				smalls = append(smalls, read("small", from.small))
				larges = append(larges, read("large", from.large))
			}
			b.ReportMetric(float64(median(larges).Microseconds()), "large-µs")
			b.ReportMetric(float64(median(smalls).Microseconds()), "small-µs")
			b.ReportMetric(float64(median(larges))/float64(median(smalls)), "to-small")
		})
	}
}

// BenchmarkCommitToPublish measures how long after a commit a relay that is otherwise idle calls Publish, on PostgreSQL and
// on MySQL in turn.
func BenchmarkCommitToPublish(b *testing.B) {
	postgres := openDB(b, servers.SafePostgres(b))
	store := newStore(b, postgres)
	require.NoError(b, store.EnsureSchema(b.Context()))
	ours := startIdle(b, postgres, store.Outbox())

	other, err := sql.Open("mysql", servers.MySQL(b)+"?interpolateParams=true")
	require.NoError(b, err)
	defer other.Close()
	mysql, err := mysqlstore.New(other, mysqlstore.Config{})
	require.NoError(b, err)
	require.NoError(b, mysql.EnsureSchema(b.Context()))
	theirs := startIdle(b, other, mysql.Outbox())

	var waits, otherWaits []time.Duration
	for b.Loop() {
		waits = append(waits, ours.wait(b))
		otherWaits = append(otherWaits, theirs.wait(b))
	}
	ours.stop()
	theirs.stop()
	b.ReportMetric(at(waits, 50), "p50-µs")
	b.ReportMetric(at(waits, 99), "p99-µs")
	b.ReportMetric(at(otherWaits, 50), "mysql-p50-µs")
	b.ReportMetric(at(otherWaits, 99), "mysql-p99-µs")
}

// idle is an outbox with a relay.
type idle struct {
	db        *sql.DB
	queue     *postgresstore.Outbox
	published chan *message.Message
	stop      func()
}

func startIdle(b *testing.B, db *sql.DB, queue *postgresstore.Outbox) idle {
	b.Helper()
	i := idle{db: db, queue: queue, published: make(chan *message.Message, 1)}
	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: channelPublisher(i.published), PollInterval: time.Hour}, nil)
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	i.stop = func() {
		cancel()
		require.NoError(b, <-done)
	}
	return i
}

func (i idle) wait(b *testing.B) time.Duration {
	b.Helper()
	tx, err := i.db.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	require.NoError(b, i.queue.Add(b.Context(), tx, "t", message.NewMessage(watermill.NewUUID(), []byte("x"))))
	require.NoError(b, tx.Commit())
	committed := time.Now()
	i.queue.Committed()
	<-i.published
	return time.Since(committed)
}

// channelPublisher publishes into a channel.
type channelPublisher chan *message.Message

// Publish implements message.Publisher.
func (p channelPublisher) Publish(_ string, messages ...*message.Message) error {
	for _, m := range messages {
		p <- m
	}
	return nil
}

// Close implements message.Publisher.
func (channelPublisher) Close() error { return nil }

func median(measured []time.Duration) time.Duration {
	slices.Sort(measured)
	return measured[len(measured)/2]
}

// at returns a percentile in microseconds.
func at(measured []time.Duration, percent int) float64 {
	slices.Sort(measured)
	return float64(measured[len(measured)*percent/100].Microseconds())
}
