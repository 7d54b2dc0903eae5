package postgresstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/live"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// liveName follows the TablePrefix in the name of the channel of notifications.
const liveName = "live"

// notifyTimeout bounds a call of Publish.
const notifyTimeout = 5 * time.Second

// minConnections are that of the relay during a Drain, that of Live, and one for everything else.
const minConnections = 3

// LiveConfig is the configuration of a Live.
type LiveConfig struct {
	// DB is where Live listens, by one connection that it keeps for as long as there are subscriptions. It must lead to the
	// database of the store. A pooler in transaction mode, such as PgBouncer, passes no notifications on: if there is one in
	// front of the store, set a DB that leads to the server itself. Subscribe checks it. Defaults to that of the store, which
	// must then have three connections or more.
	DB *sql.DB
}

// Live tells the other instances of an application what changed, by LISTEN and NOTIFY. It is the feedmill.Config.Live of an
// application without a broker.
//
// Publish tells the subscribers of the topic in all other Lives of the database with the store's TablePrefix, by one
// transaction of its own. Nothing is stored: who is not subscribed misses it. Messages that have more than 256 KiB together
// arrive as one, by which streams load all keys of their topic again. PostgreSQL has no privileges for notifications: every role
// that may connect to the database can read them, and send its own. All of them must be trusted.
//
// Subscribe delivers what others publish after it has returned, in the order of their commits, the next message after the Ack
// of the last one. Where more than 1000 messages of a topic would wait, one like that replaces them. When the connection was lost,
// messages may have been missed, and it closes the channel: subscribe again, and then load again what depends on them, as
// ssestream.Router does. A connection that no longer hears anything is noticed within 15 seconds.
type Live struct {
	database   *sqldb.Database
	listenDB   *sql.DB
	channel    string
	notify     string // the statement
	name       string // tells this Live from others
	beats      atomic.Int64
	subscriber *live.Subscriber
}

// NewLive returns a Live of the store. It starts nothing and does not touch the database. A nil logger logs through
// slog.Default.
func NewLive(store *Store, c LiveConfig, logger watermill.LoggerAdapter) (*Live, error) {
	l := &Live{listenDB: c.DB, name: watermill.NewULID()}
	part, err := sqlstore.Attach(store, "live Pub/Sub", liveName, func(database *sqldb.Database, base string) []sqldb.Table {
		l.channel = base
		l.notify = notifyStatement(database.Dialect.Quote(strings.TrimSuffix(base, liveName) + "outbox"))
		return nil
	})
	if err != nil {
		return nil, err
	}
	l.database = part.Database
	if l.listenDB == nil {
		l.listenDB = part.Database.DB.DB
	}
	if most := l.listenDB.Stats().MaxOpenConnections; l.listenDB == part.Database.DB.DB && most > 0 && most < minConnections {
		return nil, fmt.Errorf("%s: new live Pub/Sub: %w: the store's database has at most %d connections, of which a relay and Live keep "+
			"one each: call SetMaxOpenConns with %d or more, or set LiveConfig.DB", packageName, cqrsfeed.ErrInvalid, most, minConnections)
	}
	l.subscriber = live.NewSubscriber(l.open, logger)
	return l, nil
}

// notifyStatement returns the statement that sends notifications. A server that takes no writes any more would accept a NOTIFY
// that nobody hears. It refuses a SELECT … FOR UPDATE.
func notifyStatement(table string) string {
	return "SELECT pg_notify(?, part) FROM unnest(?::text[]) AS part WHERE NOT EXISTS (SELECT FROM " + table + " WHERE false FOR UPDATE)"
}

// Publish implements message.Publisher.
func (l *Live) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	encoded, err := live.Encode(topic, messages)
	if err == nil {
		err = l.send(messages[0].Context(), split(l.name, string(encoded)))
	}
	if err != nil {
		return fmt.Errorf("%s: tell other instances of %d messages of topic %q: %w", packageName, len(messages), topic, err)
	}
	return nil
}

// send sends notifications in one transaction, so that nothing comes between them.
func (l *Live) send(ctx context.Context, notifications []string) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	_, err := l.database.Exec(ctx, l.notify, l.channel, notifications)
	return err
}

// Subscribe implements message.Subscriber. The first one opens the connection.
func (l *Live) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	messages, err := l.subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", packageName, err)
	}
	return messages, nil
}

// Close ends all subscriptions and waits for them. Publish still works. It always returns nil.
func (l *Live) Close() error { return l.subscriber.Close() }
