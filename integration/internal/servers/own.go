package servers

import (
	"strconv"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
)

// Own is a server of a single test, which may kill, stop and restart it. A restarted server has its former address and
// data. It ends with the process.
type Own struct {
	// Address is the host and port.
	Address string

	name   string
	server *server
}

// OwnMySQL starts a MySQL server. It also returns the DSN of an empty database.
func OwnMySQL(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "MySQL", newMySQL())
	return own, freshDatabase(t, own.server)
}

// OwnMariaDB starts a MariaDB server. It also returns the DSN of an empty database.
func OwnMariaDB(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "MariaDB", newMariaDB())
	return own, freshDatabase(t, own.server)
}

// OwnPostgres starts a PostgreSQL 18 server. It also returns the DSN of an empty database.
func OwnPostgres(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "PostgreSQL", newPostgres())
	return own, freshPostgres(t, own.server)
}

// OwnMongo starts a server that speaks MongoDB's protocol. It also returns the URI of an empty database.
func OwnMongo(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "MongoDB", newMongo())
	return own, freshMongo(t, own.server)
}

// OwnNATS starts a NATS server with JetStream. It also returns its URL.
func OwnNATS(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "NATS", newNATS())
	return own, "nats://" + own.Address
}

// OwnRedis starts a Redis server. It also returns the URL of an empty database.
func OwnRedis(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "Redis", newRedis())
	return own, freshRedis(t, own.server)
}

// startOwn starts the server on a fixed port, because a port that Docker chooses changes with a restart.
func startOwn(t *testing.T, name string, s *server) *Own {
	t.Helper()
	inside, err := network.ParsePort(s.port)
	require.NoError(t, err)
	outside := strconv.Itoa(FreePort(t))
	s.request.HostConfigModifier = func(config *container.HostConfig) {
		config.PortBindings = network.PortMap{inside: {{HostPort: outside}}}
	}
	return &Own{Address: s.address(t), name: name, server: s}
}

// String returns the name of the server.
func (o *Own) String() string { return o.name }

// Kill ends all processes at once, as a power cut does. Data in files is kept.
func (o *Own) Kill(t *testing.T) {
	t.Helper()
	o.do(t, func(docker *testcontainers.DockerClient, id string) error {
		_, err := docker.ContainerKill(t.Context(), id, client.ContainerKillOptions{})
		return err
	})
}

// Stop ends the server in order and waits for it.
func (o *Own) Stop(t *testing.T) {
	t.Helper()
	o.do(t, func(docker *testcontainers.DockerClient, id string) error {
		_, err := docker.ContainerStop(t.Context(), id, client.ContainerStopOptions{})
		return err
	})
}

// Start starts the server again. It does not wait until the server is ready.
func (o *Own) Start(t *testing.T) {
	t.Helper()
	o.do(t, func(docker *testcontainers.DockerClient, id string) error {
		_, err := docker.ContainerStart(t.Context(), id, client.ContainerStartOptions{})
		return err
	})
}

func (o *Own) do(t *testing.T, step func(docker *testcontainers.DockerClient, id string) error) {
	t.Helper()
	docker, err := testcontainers.NewDockerClientWithOpts(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, docker.Close()) }()
	require.NoError(t, step(docker, o.server.start(t).GetContainerID()), o.name)
}
