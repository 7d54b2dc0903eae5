package natspubsub

import (
	"time"

	"github.com/nats-io/nats.go"
)

// ping is how often the broker is asked for a sign of life. The connection is replaced when two are missing.
const ping = 3 * time.Second

// ConnectOptions returns options of a connection that waits out an outage of the broker, however long it lasts, also at the
// start, and that is replaced within ten seconds if the network has forgotten it. Options that follow override them:
//
//	conn, err := nats.Connect(url, append(natspubsub.ConnectOptions(), nats.Name("app"))...)
func ConnectOptions() []nats.Option {
	return []nats.Option{
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.RetryOnFailedConnect(true),
		nats.PingInterval(ping),
		nats.FlusherTimeout(ping),
	}
}
