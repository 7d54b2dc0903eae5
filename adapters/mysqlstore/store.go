package mysqlstore

import (
	"database/sql"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Config is the configuration of a Store. It has one field, which is optional:
//
//   - TablePrefix string stands before the name of every table, so that several applications can share a database. It
//     consists of ASCII letters, digits and underscores and does not begin with a digit. Defaults to none.
type Config = sqlstore.Config

// Store is one database of the application. It owns the outbox and the schema, and everything else is made from it. Make
// one Store for a database. It is safe for concurrent use. Its methods:
//
//   - Outbox() *Outbox
//   - EnsureSchema(ctx) error creates all tables that do not exist, and checks the columns of the others. Call it at every
//     start, after everything is made.
//   - InTx(ctx, func(tx *sql.Tx) error) error runs a transaction of the application's own, commits it and wakes the relay.
//     It does not retry.
type Store = sqlstore.Store

// Outbox holds messages until a relay has published them. It implements outbox.Outbox and outbox.Operations. An application
// adds messages of its own as part of a transaction:
//
//   - Add(ctx, tx *sql.Tx, topic string, messages ...*message.Message) error
//   - Publisher(tx *sql.Tx) message.Publisher
//   - Committed() wakes the relay after a transaction that Store.InTx did not commit.
type Outbox = sqlstore.Outbox

// Repository is a write model in a table. It implements cqrsfeed.Repository, and counts its items (CountItems).
type Repository[T any] = sqlstore.Repository[T]

// New returns a store in db, which the caller opens and closes. It does not touch the database.
func New(db *sql.DB, config Config) (*Store, error) { return sqlstore.New(db, dialect(), config) }

// NewRepository returns a repository of the store. "note" is kept in the table note, behind the TablePrefix, and its events
// go to the topics note-created, note-updated and note-deleted (cqrsfeed.TopicsOf). The name must consist of ASCII letters,
// digits and underscores, must not begin with a digit, and has at most 40 bytes with the prefix. A store has one repository
// of a name. NewRepository returns cqrsfeed.ErrInvalid for other names. It does not touch the database.
//
// Create and Update call the checks with the item that they are about to write. If a check returns an error, nothing is
// written and the error wraps cqrsfeed.ErrInvalid. Check here what a projection would refuse later, such as names of feeds
// (cqrsfeed.CheckFeeds).
func NewRepository[T any](store *Store, name string, checks ...func(cqrsfeed.Item[T]) error) (*Repository[T], error) {
	return sqlstore.NewRepository(store, name, checks...)
}
