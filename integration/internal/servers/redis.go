package servers

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// redisDatabases limits how many tests of a process can have a database.
const redisDatabases = 1000

const redisPort = "6379/tcp"

var redisServer = newRedis() //nolint:gochecknoglobals // one server a process

func newRedis() *server {
	return &server{port: redisPort, request: testcontainers.ContainerRequest{
		Image:        image("FEEDMILL_REDIS_IMAGE", "redis:7"),
		ExposedPorts: []string{redisPort},
		Cmd:          []string{"--databases", strconv.Itoa(redisDatabases), "--appendonly", "yes"},
		WaitingFor:   wait.ForLog("Ready to accept connections").WithStartupTimeout(startTimeout),
	}}
}

// Redis returns the URL of an empty database on a Redis server. The server keeps acknowledged data across a restart.
func Redis(t *testing.T) string {
	t.Helper()
	return freshRedis(t, redisServer)
}

func freshRedis(t *testing.T, s *server) string {
	t.Helper()
	return fmt.Sprintf("redis://%s/%d", s.address(t), names.Add(1)%redisDatabases)
}
