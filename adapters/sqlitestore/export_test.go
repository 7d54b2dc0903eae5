package sqlitestore

// SelectPage is the query of a first page.
func (s *FeedStore[T]) SelectPage() string { return s.tables.selectPage }

// SelectNext is the query of a page behind a cursor.
func (s *FeedStore[T]) SelectNext() string { return s.tables.selectNext }

// SelectFeeds is the query of Feeds.
func (s *FeedStore[T]) SelectFeeds() string { return s.tables.selectFeeds }

// SelectEntries is the query of an item's entries.
func (s *FeedStore[T]) SelectEntries() string { return s.tables.selectEntries }
