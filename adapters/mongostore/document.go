package mongostore

// itemDocument is what the store knows of an item: which version claimed it, how far that version came,
// and every place where something of the item may be.
type itemDocument struct {
	ID string `bson:"_id"`
	// Version is the highest version that claimed the item.
	Version int64 `bson:"v"`
	// Done is the highest version that was verified: its entries were written, the leftovers of older ones
	// were cleared, and the revisions of the feeds were bumped, all while no newer version had claimed.
	Done int64 `bson:"done"`
	// Feeds are the places of Version.
	Feeds []place `bson:"feeds"`
	// Touched are the places that Version has to leave right: its own, and those where an older version
	// may have an entry.
	Touched []place `bson:"touched"`
	// Past are places that older versions touched. Nothing is there any more; they are told again when an
	// older message comes again, because the first telling may have been lost.
	Past []place `bson:"past"`
	// Left is when the item left a place for the first time since the last second look at it, and LeftLast for
	// the last time, in microseconds since 1970. They are absent when no look has to come, for the index.
	Left     int64 `bson:"left,omitempty"`
	LeftLast int64 `bson:"leftLast,omitempty"`
	// Strays are places where that look found something that came late.
	Strays []place `bson:"strays,omitempty"`
}

// leftPlaces are the places on record that are not the item's any more.
func (d *itemDocument) leftPlaces() []place {
	return without(union(d.Touched, d.Past), d.Feeds)
}

// entryDocument is an item in a feed. Its key holds the feed, the time of creation and the item's id.
type entryDocument struct {
	Key     string `bson:"_id"`
	Version int64  `bson:"v"`
	// Body is the exact JSON.
	Body string `bson:"body"`
	// Updated is in microseconds since 1970; a BSON date would lose the last three digits.
	Updated int64 `bson:"updated"`
}

// feedDocument is the head of a feed.
type feedDocument struct {
	Name string `bson:"_id"`
	// Revision grows with every change of the entries or the count.
	Revision int64 `bson:"rev"`
	Count    int64 `bson:"count"`
	// Changes grows with every change of the entries, and Counted is its value as of the count: the count
	// is right when they are equal. Pending is there while they are not, for the index.
	Changes int64 `bson:"changes"`
	Counted int64 `bson:"counted"`
	Pending bool  `bson:"pending,omitempty"`
}
