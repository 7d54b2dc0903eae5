package natspubsub_test

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/feedmill/feedmill/adapters/natspubsub"
)

// A connection that waits for a broker which is not there yet, and that is replaced when the network has forgotten it.
func ExampleConnectOptions() {
	conn, err := nats.Connect("nats://127.0.0.1:1", append(natspubsub.ConnectOptions(), nats.Name("blog"))...)
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Println(conn.IsConnected(), conn.IsClosed())
	// Output: false false
}
