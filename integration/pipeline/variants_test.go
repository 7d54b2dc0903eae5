package pipeline_test

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/stack"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// place opens a set of stores and a broker. Opening it again finds the data of before.
type place func(t *testing.T) (parts app.Parts, closeParts func() error)

// variant is a kind of place.
type variant struct {
	// name starts with SQLite if the variant needs no server. testbed/test selects those by name.
	name string
	// fresh returns an empty place.
	fresh func(t *testing.T) place
}

func variants() []variant {
	return []variant{
		{"MySQL, MongoDB and NATS", func(t *testing.T) place {
			t.Helper()
			return servedBy(stack.Config{
				MySQLDSN: servers.MySQL(t), MongoURI: servers.Mongo(t), NATSURL: emptyNATS(t),
			})
		}},
		{"MariaDB and MongoDB, in process", func(t *testing.T) place {
			t.Helper()
			return servedBy(stack.Config{
				MySQLDSN: servers.MariaDB(t), MongoURI: servers.Mongo(t), DataDir: t.TempDir(),
			})
		}},
		{"PostgreSQL, in process", func(t *testing.T) place {
			t.Helper()
			return servedBy(stack.Config{PostgresDSN: servers.Postgres(t)})
		}},
		{"SQLite, in process", func(t *testing.T) place {
			t.Helper()
			return servedBy(stack.Config{DataDir: t.TempDir()})
		}},
		{"SQLite and gochannel", onGoChannel},
		{"Redis Streams and SQLite", onRedis},
	}
}

// emptyNATS empties the stream of the shared server and returns its URL.
func emptyNATS(t *testing.T) string {
	t.Helper()
	url := servers.NATS(t)
	conn, err := nats.Connect(url)
	require.NoError(t, err)
	defer conn.Close()
	broker, err := jetstream.New(conn)
	require.NoError(t, err)
	if err := broker.DeleteStream(t.Context(), "microblog"); err != nil {
		require.ErrorIs(t, err, jetstream.ErrStreamNotFound)
	}
	return url
}

func servedBy(config stack.Config) place {
	return func(t *testing.T) (app.Parts, func() error) {
		t.Helper()
		opened, err := stack.Open(t.Context(), config, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		return opened.Parts, opened.Close
	}
}
