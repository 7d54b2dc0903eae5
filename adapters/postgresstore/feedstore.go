package postgresstore

import (
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/feedstore"
)

// FeedStore keeps feeds in tables. Counts and revisions are exact after each Apply, and writers of one feed do not wait
// for each other. It implements cqrsfeed.FeedStore, and readmodel.Store for readmodel.Rebuild, readmodel.Audit and package
// operate.
type FeedStore[T any] = feedstore.Store[T]

// NewFeedStore returns a feed store. The tables of "note" begin with note_feed_, after the store's TablePrefix. The
// rules for names are those of NewRepository. A repository and a feed store may share a name. NewFeedStore does not
// touch the database: Store.EnsureSchema creates the tables.
func NewFeedStore[T any](store *Store, name string) (*FeedStore[T], error) {
	return feedstore.New(store, packageName, name, newFeedTables[T])
}
