package postgresstore

import "github.com/feedmill/feedmill/adapters/internal/sqlstore/tableprojection"

// TableProjection keeps tables of the application's own exact, such as counters, leaderboards and search tables. It
// calls its Step once for each step of an item from the last applied state to a newer one, in the transaction that
// records the step. Events may be repeated and come in any order. It implements projector.Projection and
// cqrsfeed.ItemVersions. See docs/table-projections.md. Its other methods:
//
//   - Model() readmodel.Store[T] is for readmodel.Rebuild, readmodel.Audit and package operate.
//   - Clear(ctx, func(ctx, tx *sql.Tx) error) error forgets all items, in a transaction that also deletes what steps
//     wrote. A rebuild then applies them again.
type TableProjection[T any] = tableprojection.Projection[T]

// Step brings the application's tables from one state of an item to a newer one:
//
//	func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[T]) error
//
// before is nil for an item that is not in the tables, and after is nil for one that leaves them. The two may be
// several versions apart: if version 3 comes before 2, there is one step from 1 to 3. Each step begins where the last one
// ended. Steps of a projection are serial, also between processes, so a step may read a row and then
// write it. A step must return the errors of its statements, use tx for all database access, and not change the items.
// It may be called again after a rollback. If it returns a cqrsfeed.RefusedError without a Message, the event is set
// aside as one that can never be applied, and the item leaves the tables by a step to nil.
type Step[T any] = tableprojection.Step[T]

// NewTableProjection returns a projection of the store that calls step. It records the applied states in a table of the
// store's TablePrefix, the name and _applied. The rules for names are those of NewRepository. NewTableProjection does
// not touch the database: Store.EnsureSchema creates that table, and the application creates its own.
func NewTableProjection[T any](store *Store, name string, step Step[T]) (*TableProjection[T], error) {
	return tableprojection.New(store, name, step)
}
