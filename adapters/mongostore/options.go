package mongostore

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

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
