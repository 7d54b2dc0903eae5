package postgresstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// queueTopic is the topic of the messages of these benchmarks, and queueWriters the number of those that write them at once.
const (
	queueTopic   = "things"
	queueWriters = 8
	// A transaction of BenchmarkQueueSize writes so many messages, and writers wait while more than mostWaiting are unread.
	writtenAtOnce = 100
	mostWaiting   = 20_000
)

// newQueueMessage returns a message of 300 bytes that is valid JSON, which watermill-sql asks for by default.
func newQueueMessage() *message.Message {
	return message.NewMessage(watermill.NewUUID(), []byte(`"`+strings.Repeat("x", 298)+`"`))
}

// BenchmarkQueueSize sends messages through an outbox and watches the size of its table with all indexes, for which
// autovacuum has the server's defaults. An operation is a message, so -benchtime 10000000x sends ten millions. peak-MB is the
// largest size, and late/early the largest of the last half to that of the first. The log has the sizes by the number of
// messages, for a plot. "beside a transaction" has a snapshot open from the first message to the last.
func BenchmarkQueueSize(b *testing.B) {
	for _, beside := range []bool{false, true} {
		name := map[bool]string{false: "alone", true: "beside a transaction"}[beside]
		b.Run(name, func(b *testing.B) {
			dsn := servers.Postgres(b)
			db := openDB(b, dsn)
			db.SetMaxOpenConns(2 * queueWriters)
			queue := openOutbox(b, db)
			if beside {
				end := openLongTransaction(b, dsn)
				defer end()
			}
			received := make(chan *message.Message, 10_000)
			stop := relayInto(b, queue, received)
			b.ResetTimer()
			room := make(chan struct{}, mostWaiting/writtenAtOnce) // has an entry for each batch that is written and not received
			var written atomic.Int64
			var writing sync.WaitGroup
			for range queueWriters {
				writing.Go(func() {
					for {
						from := written.Add(writtenAtOnce) - writtenAtOnce
						count := min(writtenAtOnce, int64(b.N)-from)
						if count <= 0 {
							return
						}
						room <- struct{}{}
						addMessages(b, db, queue, int(count))
					}
				})
			}
			sizes := watchSize(b, db, received, room)
			writing.Wait()
			b.StopTimer()
			stop()
			peak, early, late := int64(0), int64(1), int64(0)
			var plot strings.Builder // one entry of the log, because a benchmark shows ten at most
			for i, s := range sizes {
				peak = max(peak, s)
				if i < len(sizes)/2 {
					early = max(early, s)
				} else {
					late = max(late, s)
				}
				fmt.Fprintf(&plot, "\n%10d messages %8.1f MB", b.N*(i+1)/len(sizes), float64(s)/1e6)
			}
			b.Log(plot.String())
			b.ReportMetric(float64(peak)/1e6, "peak-MB")
			b.ReportMetric(float64(late)/float64(early), "late/early")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// watchSize receives all b.N messages, makes room for others, and returns the largest size of the queue in each twentieth of them.
func watchSize(b *testing.B, db *sql.DB, received <-chan *message.Message, room <-chan struct{}) (sizes []int64) {
	b.Helper()
	const parts, looks = 20, 5
	size := func() (size int64) {
		require.NoError(b, db.QueryRowContext(b.Context(), "SELECT pg_total_relation_size('outbox')").Scan(&size))
		return size
	}
	seen := 0
	for part := range min(parts, b.N) {
		var largest int64
		for look := range looks {
			for until := (b.N*(part*looks+look+1) + parts*looks - 1) / (parts * looks); seen < until; seen++ {
				<-received
				if seen%writtenAtOnce == 0 {
					<-room
				}
			}
			largest = max(largest, size())
		}
		sizes = append(sizes, largest)
	}
	return sizes
}

func addMessages(b *testing.B, db *sql.DB, queue *postgresstore.Outbox, count int) {
	b.Helper()
	messages := make([]*message.Message, count)
	for i := range messages {
		messages[i] = newQueueMessage()
	}
	inTx(b, db, func(tx *sql.Tx) error { return queue.Add(b.Context(), tx, queueTopic, messages...) })
	queue.Committed()
}

// inTx may be called from any goroutine.
func inTx(b *testing.B, db *sql.DB, do func(tx *sql.Tx) error) {
	b.Helper()
	tx, err := db.BeginTx(b.Context(), nil)
	if err == nil {
		if err = do(tx); err == nil {
			err = tx.Commit()
		}
	}
	if err != nil {
		panic(fmt.Sprintf("writing messages: %v", err)) // ends the benchmark from any goroutine
	}
}

// relayInto publishes the queue into a channel.
func relayInto(b *testing.B, queue *postgresstore.Outbox, received chan *message.Message) (stop func()) {
	b.Helper()
	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: channelPublisher(received)}, nil)
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(b, <-done)
	}
}

// openLongTransaction keeps a snapshot, as a dump does, until end is called.
func openLongTransaction(b *testing.B, dsn string) (end func()) {
	b.Helper()
	db := openDB(b, dsn)
	tx, err := db.BeginTx(b.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	require.NoError(b, err)
	var n int
	require.NoError(b, tx.QueryRowContext(b.Context(), "SELECT count(*) FROM outbox").Scan(&n))
	return func() { _ = tx.Rollback() }
}

// BenchmarkBesideWatermillSQL sends the same messages through an outbox with its relay and through two Pub/Subs of
// watermill-sql on PostgreSQL, in turn: its default one, which keeps all messages and remembers offsets, and its queue, which
// deletes them as the outbox does. "backlog" reads messages that are all there, "one by one" has writers add each in a
// transaction of its own meanwhile. An operation is a round of all three. The ratios are those of the median rates.
func BenchmarkBesideWatermillSQL(b *testing.B) {
	const count = 10_000
	for _, each := range []int{100, 1} {
		name := map[int]string{100: "backlog", 1: "one by one"}[each]
		b.Run(name, func(b *testing.B) {
			var ours, offsets, queue []time.Duration
			for b.Loop() {
				ours = append(ours, outboxRound(b, count, each))
				offsets = append(offsets, watermillRound(b, count, each, wsql.SubscriberConfig{
					ConsumerGroup: "readers", SchemaAdapter: wsql.DefaultPostgreSQLSchema{}, OffsetsAdapter: wsql.DefaultPostgreSQLOffsetsAdapter{},
				}))
				queue = append(queue, watermillRound(b, count, each, wsql.SubscriberConfig{
					SchemaAdapter: wsql.PostgreSQLQueueSchema{}, OffsetsAdapter: wsql.PostgreSQLQueueOffsetsAdapter{DeleteOnAck: true},
				}))
			}
			b.ReportMetric(count/median(ours).Seconds(), "messages/s")
			b.ReportMetric(count/median(offsets).Seconds(), "watermill-sql/s")
			b.ReportMetric(count/median(queue).Seconds(), "its-queue/s")
			b.ReportMetric(float64(median(offsets))/float64(median(ours)), "to-watermill-sql")
			b.ReportMetric(float64(median(queue))/float64(median(ours)), "to-its-queue")
		})
	}
}

func outboxRound(b *testing.B, count, each int) time.Duration {
	b.Helper()
	db := openDB(b, servers.Postgres(b))
	db.SetMaxOpenConns(2 * queueWriters)
	db.SetMaxIdleConns(2 * queueWriters)
	queue := openOutbox(b, db)
	write := func() { writeAll(count, each, func(n int) { addMessages(b, db, queue, n) }) }
	received := make(chan *message.Message, count)
	return sendRound(write, each > 1, func() (stop func()) { return relayInto(b, queue, received) }, received, count)
}

// watermillRound has the batches of 100 that both adapters of watermill-sql and the relay have by default.
func watermillRound(b *testing.B, count, each int, config wsql.SubscriberConfig) time.Duration {
	b.Helper()
	db := openDB(b, servers.Postgres(b))
	db.SetMaxOpenConns(2 * queueWriters)
	db.SetMaxIdleConns(2 * queueWriters)
	config.InitializeSchema, config.PollInterval = true, time.Millisecond
	subscriber, err := wsql.NewSubscriber(wsql.BeginnerFromStdSQL(db), config, nil)
	require.NoError(b, err)
	require.NoError(b, subscriber.SubscribeInitialize(queueTopic))
	write := func() {
		writeAll(count, each, func(n int) {
			messages := make([]*message.Message, n)
			for i := range messages {
				messages[i] = newQueueMessage()
			}
			inTx(b, db, func(tx *sql.Tx) error {
				publisher, err := wsql.NewPublisher(wsql.TxFromStdSQL(tx), wsql.PublisherConfig{SchemaAdapter: config.SchemaAdapter}, nil)
				if err != nil {
					return err
				}
				return publisher.Publish(queueTopic, messages...)
			})
		})
	}
	received := make(chan *message.Message, count)
	return sendRound(write, each > 1, func() (stop func()) {
		messages, err := subscriber.Subscribe(b.Context(), queueTopic)
		require.NoError(b, err)
		go func() {
			for m := range messages {
				m.Ack()
				received <- m
			}
		}()
		return func() { require.NoError(b, subscriber.Close()) }
	}, received, count)
}

// writeAll calls write by several writers, for each messages at a time.
func writeAll(count, each int, write func(n int)) {
	var next atomic.Int64
	var writing sync.WaitGroup
	for range queueWriters {
		writing.Go(func() {
			for int(next.Add(int64(each))) <= count {
				write(each)
			}
		})
	}
	writing.Wait()
}

// sendRound returns how long it takes until count messages are received. If all are written before, their writing does not count.
func sendRound(write func(), before bool, start func() (stop func()), received <-chan *message.Message, count int) time.Duration {
	if before {
		write()
	}
	began := time.Now()
	stop := start()
	var writing sync.WaitGroup
	if !before {
		writing.Go(write)
	}
	for range count {
		<-received
	}
	took := time.Since(began)
	writing.Wait()
	stop()
	return took
}
