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

// Own is a server that a test has for itself, and may kill, stop and start again: it then has its address and its
// data again. It ends with the process.
type Own struct {
	// Address is its host and port.
	Address string

	name   string
	server *server
}

// OwnMySQL starts a MySQL server and returns the DSN of an empty database on it too.
func OwnMySQL(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "MySQL", newMySQL())
	return own, freshDatabase(t, own.server)
}

// OwnMongo starts a server that speaks MongoDB's protocol and returns the URI of an empty database on it too.
func OwnMongo(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "MongoDB", newMongo())
	return own, freshMongo(t, own.server)
}

// OwnNATS starts a NATS server with JetStream and returns its URL too.
func OwnNATS(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "NATS", newNATS())
	return own, "nats://" + own.Address
}

// OwnRedis starts a Redis server and returns the URL of an empty database on it too.
func OwnRedis(t *testing.T) (*Own, string) {
	t.Helper()
	own := startOwn(t, "Redis", newRedis())
	return own, freshRedis(t, own.server)
}

// startOwn starts the server on a port of its own choice, since one that Docker chooses changes with a restart.
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

// String is the server's name, for people.
func (o *Own) String() string { return o.name }

// Kill ends all of its processes at once, as a power cut does. What it has written to its files is there again.
func (o *Own) Kill(t *testing.T) {
	t.Helper()
	o.do(t, func(docker *testcontainers.DockerClient, id string) error {
		_, err := docker.ContainerKill(t.Context(), id, client.ContainerKillOptions{})
		return err
	})
}

// Stop asks it to end, and waits until it has.
func (o *Own) Stop(t *testing.T) {
	t.Helper()
	o.do(t, func(docker *testcontainers.DockerClient, id string) error {
		_, err := docker.ContainerStop(t.Context(), id, client.ContainerStopOptions{})
		return err
	})
}

// Start starts it again. It does not wait until it serves.
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
