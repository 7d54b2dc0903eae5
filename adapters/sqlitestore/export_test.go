package sqlitestore

import "github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"

// FeedQueries returns the queries of a first page, of a page behind a cursor, of a list of feeds, and of an item's entries.
func FeedQueries(prefix string) (first, next, feeds, entries string) {
	tables := newFeedTables[any](new(sqldb.Database), prefix)
	t := tables.Access.(*feedTables[any]) //nolint:errcheck,forcetypeassert // it is of this package
	return t.selectPage, t.selectNext, tables.Reads.Feeds, t.selectEntries
}

// UnionQueries returns the queries of a first page of several feeds, and of one behind a cursor.
func UnionQueries(prefix string) (first, next string) {
	t := newFeedTables[any](new(sqldb.Database), prefix).Access.(*feedTables[any]) //nolint:errcheck,forcetypeassert // as above
	return t.selectUnion, t.selectUnionNext
}
