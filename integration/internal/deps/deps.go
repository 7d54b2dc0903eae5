package deps

import (
	_ "github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "github.com/ThreeDotsLabs/watermill/pubsub/tests"
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/nats-io/nats.go/jetstream"
	_ "github.com/stretchr/testify/assert"
	_ "github.com/feedmill/feedmill/cqrsfeed"
	_ "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	_ "modernc.org/sqlite"
)
