package servers

import (
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

var natsServer = newNATS() //nolint:gochecknoglobals // one server a process

func newNATS() *server {
	return &server{port: "4222/tcp", request: testcontainers.ContainerRequest{
		Image:        image("FEEDMILL_NATS_IMAGE", "nats:2-alpine"),
		ExposedPorts: []string{"4222/tcp", "8222/tcp"},
		Cmd:          []string{"-js", "-sd", "/data", "-m", "8222"},
		WaitingFor:   wait.ForHTTP("/healthz").WithPort("8222/tcp").WithStartupTimeout(startTimeout),
	}}
}

// NATS returns the URL of a NATS server with JetStream. Tests share it and choose their own names of streams.
func NATS(tb testing.TB) string {
	tb.Helper()
	return "nats://" + natsServer.address(tb)
}
