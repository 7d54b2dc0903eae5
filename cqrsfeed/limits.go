package cqrsfeed

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
