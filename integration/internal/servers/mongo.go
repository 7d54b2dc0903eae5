package servers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const mongoPort = "27017/tcp"

var mongoServer = newMongo() //nolint:gochecknoglobals // one server a process

func newMongo() *server {
	return &server{port: mongoPort, request: testcontainers.ContainerRequest{
		Image:        image("FEEDMILL_MONGO_IMAGE", "mongo:8"),
		ExposedPorts: []string{mongoPort},
		WaitingFor:   wait.ForListeningPort(mongoPort).WithStartupTimeout(startTimeout),
	}}
}

// Mongo returns the URI of an empty database on a server that speaks MongoDB's protocol. The name of the database is the
// path of the URI.
func Mongo(tb testing.TB) string {
	tb.Helper()
	return freshMongo(tb, mongoServer)
}

func freshMongo(tb testing.TB, s *server) string {
	tb.Helper()
	address := s.address(tb)
	awaitMongo(tb, "mongodb://"+address)
	return fmt.Sprintf("mongodb://%s/%s", address, freshName())
}

// awaitMongo waits until the server is ready. It may listen before it is ready.
func awaitMongo(tb testing.TB, uri string) {
	tb.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(time.Second))
	require.NoError(tb, err)
	defer func() { require.NoError(tb, client.Disconnect(context.WithoutCancel(tb.Context()))) }()
	require.Eventually(tb, func() bool { return client.Ping(tb.Context(), nil) == nil },
		time.Minute, 50*time.Millisecond, "wait for %s: it does not answer", uri)
}
