package mongostore

import (
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/internal/config"
)

// FeedStoreConfig configures a FeedStore.
type FeedStoreConfig struct {
	// Name is the name of the items, such as "post". It begins the names of the collections, so that several stores can
	// share a database: post_items and post_feeds. It has at most 64 bytes. Required.
	Name string
	// CountAtOnce is the size of the largest feed that Apply counts itself. Recount counts larger feeds,
	// so that their size never delays an update, unless Apply knows the count. Off leaves all counts to Recount.
	// Defaults to 10,000 items.
	CountAtOnce int
}

// Off as FeedStoreConfig.CountAtOnce leaves all counts to Recount.
const Off = -1

const maxNameLength = 64

func (c *FeedStoreConfig) setDefaults() { config.Default(&c.CountAtOnce, 10_000) }

// Validate returns all problems of the configuration, joined.
func (c FeedStoreConfig) Validate() error {
	var p config.Problems
	p.Require(c.Name != "", "Name")
	p.Check(!strings.ContainsAny(c.Name, "$\x00") && !strings.HasPrefix(c.Name, "system."),
		"Name %q cannot begin the name of a collection", c.Name)
	p.Check(len(c.Name) <= maxNameLength, "Name has %d bytes, at most %d are allowed", len(c.Name), maxNameLength)
	p.Check(c.CountAtOnce >= Off, "CountAtOnce is %d, it must be positive or Off", c.CountAtOnce)
	return p.Join()
}

const (
	connectTimeout   = 2 * time.Second
	operationTimeout = 5 * time.Second
	heartbeat        = 2 * time.Second
)

// ClientOptions returns options of a client that does not hang on servers that cannot be reached, nor on connections that the
// network has forgotten, see the package's comment: choosing a server and connecting to it take 2 seconds each at most and an
// operation 5. The driver asks for a sign of life every 2 seconds, and closes all connections if none comes for 2 seconds. A
// URI that is applied overrides them, by serverSelectionTimeoutMS, connectTimeoutMS, timeoutMS and heartbeatFrequencyMS:
//
//	client, err := mongo.Connect(mongostore.ClientOptions().ApplyURI(uri))
func ClientOptions() *options.ClientOptions {
	return options.Client().
		SetServerSelectionTimeout(connectTimeout).SetConnectTimeout(connectTimeout).
		SetTimeout(operationTimeout).SetHeartbeatInterval(heartbeat)
}
