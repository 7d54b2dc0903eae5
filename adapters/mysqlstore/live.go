package mysqlstore

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/live"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/internal/config"
)

// insertTimeout bounds a call of Publish.
const insertTimeout = 5 * time.Second

// LiveConfig is the configuration of a Live.
type LiveConfig struct {
	// PollInterval is how often Live reads its table while there are subscriptions, by one short query. Defaults to 50
	// milliseconds.
	PollInterval time.Duration
}

func (c *LiveConfig) setDefaults() { config.Default(&c.PollInterval, 50*time.Millisecond) }

// Validate returns all problems of the configuration, joined.
func (c LiveConfig) Validate() error {
	var p config.Problems
	config.NotNegative(&p, "PollInterval", c.PollInterval)
	return p.Join()
}

// Live tells the other instances of an application what changed, by a table that they poll. It is the feedmill.Config.Live of
// an application without a broker.
//
// Publish tells the subscribers of the topic in all other Lives of the store's table, by one row. Instances with subscriptions
// remove rows after ten to forty seconds, but for the last one. Without any, rows stay. Messages that have more than 256 KiB
// together arrive as one, by which streams load all keys of their topic again.
//
// Subscribe delivers what others publish after it has returned, in the order of their commits, the next message after the Ack
// of the last one. Where more than 1000 messages of a topic would wait, one like that replaces them. When rows were gone before
// they were read, it closes the channel: subscribe again, and then load again what depends on them, as ssestream.Router does. A
// server that accepts no writes any more is left within 20 seconds.
type Live struct {
	config     LiveConfig
	database   *sqldb.Database
	statements liveStatements
	name       string // tells this Live from others
	rows       atomic.Int64
	subscriber *live.Subscriber
}

// liveStatements are the statements on the table. The id of a row is one more than the highest that is committed, so a reader
// in the order of the ids misses none. A failover can lose rows, and new rows then get the same ids. So a row also has a name,
// which is that of its Live with a number.
type liveStatements struct{ insert, last, after, remove string }

func newLiveStatements(table string) liveStatements {
	return liveStatements{
		insert: "INSERT INTO " + table + " (id, name, body) VALUES (?, ?, ?)",
		last:   "SELECT id, name FROM " + table + " ORDER BY id DESC LIMIT 1",
		// The row that was read last comes first, without its body.
		after: "SELECT id, name, CASE WHEN id = ? OR name LIKE ? THEN '' ELSE body END FROM " + table +
			" WHERE id >= ? ORDER BY id LIMIT " + strconv.Itoa(pollRows),
		remove: "DELETE FROM " + table + " WHERE id < ? ORDER BY id LIMIT " + strconv.Itoa(removeRows),
	}
}

func liveTable(dialect *sqldb.Dialect, name string) sqldb.Table {
	return sqldb.Table{Name: name, Columns: "id, name, body", Schema: []string{`CREATE TABLE IF NOT EXISTS ` + dialect.Quote(name) + ` (
	id BIGINT NOT NULL PRIMARY KEY,
	name VARBINARY(64) NOT NULL,
	body LONGBLOB NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`}}
}

// NewLive returns a Live of the store, with the table "live" after the TablePrefix. It starts nothing and does not touch the
// database: Store.EnsureSchema creates the table. A nil logger logs through slog.Default.
func NewLive(store *Store, c LiveConfig, logger watermill.LoggerAdapter) (*Live, error) {
	c.setDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("mysqlstore: live config: %w", err)
	}
	l := &Live{config: c, name: watermill.NewULID()}
	part, err := sqlstore.Attach(store, "live Pub/Sub", "live", func(database *sqldb.Database, base string) []sqldb.Table {
		l.statements = newLiveStatements(database.Dialect.Quote(base))
		return []sqldb.Table{liveTable(database.Dialect, base)}
	})
	if err != nil {
		return nil, err
	}
	l.database = part.Database
	l.subscriber = live.NewSubscriber(l.open, logger)
	return l, nil
}

// Publish implements message.Publisher.
func (l *Live) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	body, err := live.Encode(topic, messages)
	if err == nil {
		err = l.insert(messages[0].Context(), body)
	}
	if err != nil {
		return fmt.Errorf("mysqlstore: tell other instances of %d messages of topic %q: %w", len(messages), topic, err)
	}
	return nil
}

// insert adds a row. Another instance may take its id first.
func (l *Live) insert(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	for {
		last, err := l.lastRow(ctx)
		if err != nil {
			return err
		}
		name := l.name + "/" + strconv.FormatInt(l.rows.Add(1), 10)
		_, err = l.database.Exec(ctx, l.statements.insert, last.id+1, name, body)
		if err == nil || l.database.Dialect.Classify(err) != sqldb.Duplicate {
			return err
		}
	}
}

// Subscribe implements message.Subscriber. The first one begins to poll.
func (l *Live) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	messages, err := l.subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("mysqlstore: %w", err)
	}
	return messages, nil
}

// Close ends all subscriptions and waits for them. Publish still works. It always returns nil.
func (l *Live) Close() error { return l.subscriber.Close() }
