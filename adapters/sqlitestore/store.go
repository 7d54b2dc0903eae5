package sqlitestore

import (
	"database/sql"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Config is the configuration of a Store. Its only field is optional:
//
//   - TablePrefix string stands before the name of every table, so that several applications can share a database: ASCII
//     letters, digits and underscores, no digit first. Defaults to none.
type Config = sqlstore.Config

// Store is one database of the application. It owns the outbox and the schema, and everything else is made from it. A
// program has one Store for a database. All methods are safe for concurrent use:
//
//   - Outbox() *Outbox
//   - EnsureSchema(ctx) error creates all tables that do not exist, and checks the columns of the others. Call it at every
//     start, after everything is made.
//   - InTx(ctx, func(tx *sql.Tx) error) error runs the application's own transaction once, commits it and wakes the relay.
type Store = sqlstore.Store

// Outbox holds messages until a relay has published them. It implements outbox.Outbox and outbox.Operations, and takes
// messages of the application's own as part of a transaction:
//
//   - Add(ctx, tx *sql.Tx, topic, messages...) error
//   - Publisher(tx *sql.Tx) message.Publisher
//   - Committed() wakes the relay after a transaction that Store.InTx did not commit.
type Outbox = sqlstore.Outbox

// Repository is a write model in a table. It implements cqrsfeed.Repository.
type Repository[T any] = sqlstore.Repository[T]

// New returns a store in db, which stays the caller's. It does not touch the database.
func New(db *sql.DB, config Config) (*Store, error) { return sqlstore.New(db, dialect(), config) }

// NewRepository returns a repository of the store: "note" is kept in the table note, behind the TablePrefix, and its events
// go to the topics note-created, note-updated and note-deleted (cqrsfeed.TopicsOf). The name is made of ASCII letters,
// digits and underscores, does not begin with a digit, and has at most 40 bytes with the prefix; a store has one repository
// of a name. Other names are refused with cqrsfeed.ErrInvalid. It does not touch the database.
//
// Create and Update call the checks for the item that they are about to write. The first error of a check refuses it, as
// cqrsfeed.ErrInvalid, and nothing is written. What a projection would refuse later is best refused here, such as invalid
// names of feeds by cqrsfeed.CheckFeeds.
func NewRepository[T any](store *Store, name string, checks ...func(cqrsfeed.Item[T]) error) (*Repository[T], error) {
	return sqlstore.NewRepository(store, name, checks...)
}
