package sqlitestore

import (
	"context"
	"database/sql"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// RepositoryConfig says where a Repository keeps its items and where its events go.
type RepositoryConfig struct {
	// Table is the name of the table: 1 to 60 ASCII letters, digits and underscores. Defaults to "items".
	Table string
	// Topics are the topics of the events. Required.
	Topics cqrsfeed.Topics
}

// Validate joins what is wrong with the configuration.
func (c RepositoryConfig) Validate() error { return sqlstore.RepositoryConfig(c).Validate() }

// Repository is a write model in a table. The names of its events, in the messages' metadata, are
// ItemCreated, ItemUpdated and ItemDeleted; beside it is the W3C trace context (traceparent) of the caller's context,
// if it has one.
type Repository[T any] struct{ inner *sqlstore.Repository[T] }

var _ cqrsfeed.Repository[any] = (*Repository[any])(nil)

// NewRepository returns a repository in db whose events go to outbox, which must be on the same *sql.DB. It
// does not touch the database.
func NewRepository[T any](db *sql.DB, outbox *Outbox, config RepositoryConfig) (*Repository[T], error) {
	var inner *sqlstore.Outbox
	if outbox != nil {
		inner = outbox.inner
	}
	repository, err := sqlstore.NewRepository[T](db, dialect(), inner, sqlstore.RepositoryConfig(config))
	if err != nil {
		return nil, err
	}
	return &Repository[T]{repository}, nil
}

// EnsureSchema creates the table unless it exists, and fails when one exists that has other columns. Where it is
// there already no right to create one is needed. The outbox has an EnsureSchema of its own.
func (r *Repository[T]) EnsureSchema(ctx context.Context) error { return r.inner.EnsureSchema(ctx) }

// Create implements cqrsfeed.Repository. Calls of the same moment may share a transaction; each is answered for its own
// item. A call whose context ends while such a transaction is under way returns when that ended, within half a minute.
func (r *Repository[T]) Create(ctx context.Context, id string, body T) (cqrsfeed.Item[T], error) {
	return r.inner.Create(ctx, id, body)
}

// Update implements cqrsfeed.Repository. change runs inside of the transaction: it must not use the
// database itself, nor wait for anything that does.
func (r *Repository[T]) Update(
	ctx context.Context, id string, change func(body *T) error, opts ...cqrsfeed.ChangeOption,
) (cqrsfeed.Item[T], error) {
	return r.inner.Update(ctx, id, change, opts...)
}

// Delete implements cqrsfeed.Repository.
func (r *Repository[T]) Delete(ctx context.Context, id string, opts ...cqrsfeed.ChangeOption) (cqrsfeed.Item[T], error) {
	return r.inner.Delete(ctx, id, opts...)
}

// Get implements cqrsfeed.Repository.
func (r *Repository[T]) Get(ctx context.Context, id string) (cqrsfeed.Item[T], error) {
	return r.inner.Get(ctx, id)
}

// Scan implements cqrsfeed.Repository.
func (r *Repository[T]) Scan(ctx context.Context, after string, limit int) ([]cqrsfeed.Item[T], error) {
	return r.inner.Scan(ctx, after, limit)
}
