package mongostore_test

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/adapters/mongostore"
)

// A client that does not hang on dead connections. What the URI says counts: here 10 seconds for an operation.
func ExampleClientOptions() {
	options := mongostore.ClientOptions().ApplyURI("mongodb://localhost:27017/?timeoutMS=10000")
	client, err := mongo.Connect(options)
	if err != nil {
		panic(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	fmt.Println(*options.Timeout, *options.HeartbeatInterval)
	// Output: 10s 2s
}
