package postgresstore

import (
	"database/sql"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/repository"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Config is the configuration of a Store. All fields are optional:
//
//   - TablePrefix string begins the name of every table, so that several applications can share a database. It
//     consists of ASCII letters, digits and underscores and does not begin with a digit. It is not part of topics. Defaults
//     to none.
//   - MaxEventBytes int is the maximum size of an event. Larger ones are refused when they are written, with
//     cqrsfeed.ErrTooLarge. It must not exceed what the broker accepts, less its headers, nor limits.MaxEventBytes.
//     Defaults to limits.DefaultEventBytes, which fits NATS.
//   - Topics func(name string) cqrsfeed.Topics returns the topics of a repository's events by its name, such as
//     cqrsfeed.PartitionsOf. Defaults to cqrsfeed.TopicsOf.
type Config = sqlstore.Config

// Store is one database of the application. It owns the outbox and the schema, and everything else is made from it.
// Make one Store for a database. It is safe for concurrent use. Its methods:
//
//   - Outbox() *Outbox
//   - EnsureSchema(ctx) error creates missing tables and checks the columns of the others. Call it at every start,
//     after everything is made.
//   - InTx(ctx, func(tx *sql.Tx) error) error runs a transaction of the application's own, commits it and wakes the
//     relay. It does not retry.
type Store = sqlstore.Store

// Outbox stores messages until a relay has published them. It implements outbox.Outbox. An
// application adds messages of its own in a transaction:
//
//   - Add(ctx, tx *sql.Tx, topic string, messages ...*message.Message) error
//   - Publisher(tx *sql.Tx) message.Publisher
//   - Committed() wakes the relay after a transaction that Store.InTx did not commit.
type Outbox = outbox.Outbox

// Repository is a write model in a table. It implements cqrsfeed.Repository and cqrsfeed.Importer, removes old tombstones
// (readmodel.TombstoneSource), and counts its items (CountItems).
type Repository[T any] = repository.Repository[T]

// New returns a store in db, which the caller opens and closes. It does not touch the database.
func New(db *sql.DB, config Config) (*Store, error) { return sqlstore.New(db, dialect(), config) }

// NewRepository returns a repository of the store. The items of "note" are in the table note, after the TablePrefix.
// Its events go to the topics note-created, note-updated and note-deleted, or those of Config.Topics. The name must
// consist of ASCII letters, digits and underscores, must not begin with a digit, and has at most 40 bytes with the
// prefix. A store has one repository of a name. NewRepository returns cqrsfeed.ErrInvalid for other names. It does not
// touch the database.
//
// Create and Update call the checks with the item before they write it. If a check returns an error, nothing is written
// and the error wraps cqrsfeed.ErrInvalid. Check whatever a projection of your own would refuse later.
// feedmill.AddFeeds adds the check of its feeds.
func NewRepository[T any](store *Store, name string, checks ...func(cqrsfeed.Item[T]) error) (*Repository[T], error) {
	return repository.New(store, name, checks...)
}
