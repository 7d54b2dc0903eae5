// Package limits has the sizes that hold for every store, relay and projector.
package limits

// The names of items and feeds, in bytes. They fit into the keys and indexes of every store.
const (
	// MaxIDLength is the longest id of an item.
	MaxIDLength = 128
	// MaxFeedLength is the longest name of a feed.
	MaxFeedLength = 256
)

// MaxFeeds is how many feeds an item can be in.
const MaxFeeds = 1000

// The sizes of pages and of other lists.
const (
	// DefaultPageLimit is the size of a page if the caller gives no limit.
	DefaultPageLimit = 50
	// MaxPageLimit is the largest page.
	MaxPageLimit = 1000
	// MaxUnion is how many feeds a page of several feeds may have. MongoDB merges so many ranges of an index, and sorts more.
	MaxUnion = 200
	// MaxPageBytes bounds the bodies of a page together, as JSON, so that a page fits into a frame of a stream.
	MaxPageBytes = 256 << 10
)

// The sizes of events: the JSON of a message and of its metadata. A store refuses larger ones with ErrTooLarge, because the
// broker would refuse them later, out of the writer's sight.
const (
	// DefaultEventBytes is the largest event of a store that is not configured otherwise. With its headers it fits into a
	// message of NATS, whose limit is 1 MiB by default.
	DefaultEventBytes = 1_000_000
	// MaxEventBytes is the most that a store can be configured for. Every feed store keeps the items of such events.
	MaxEventBytes = 8 << 20
	// MaxMetadataBytes is the largest metadata of a message as JSON, for every store. NATS takes 64 KiB of headers, in
	// which a byte may become three.
	MaxMetadataBytes = 16 << 10
)

// MaxBatchBytes bounds a batch of a relay or a projector, and a result of Scan, whatever numbers are configured. A batch ends
// with the message or item that reaches this size.
const MaxBatchBytes = 4 << 20

// MaxTokens is how many tokens of writes a request may have.
const MaxTokens = 16
