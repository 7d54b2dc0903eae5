package deps

import (
	_ "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	_ "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	_ "github.com/ThreeDotsLabs/watermill/message/router/middleware"
	_ "github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "github.com/ThreeDotsLabs/watermill/pubsub/tests"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/nats-io/nats.go/jetstream"
	_ "github.com/stretchr/testify/require"
	_ "github.com/stretchr/testify/assert"
	_ "go.mongodb.org/mongo-driver/v2/mongo"
	_ "go.uber.org/goleak"
	_ "modernc.org/sqlite"
	_ "github.com/go-chi/render"
)
