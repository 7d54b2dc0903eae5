package servers

import (
	"bytes"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const proxyPort = "443/tcp"

// StartNginx starts nginx with the files, by their paths, and returns the address of its port for HTTPS. The servers of /etc/nginx/conf.d/ are those of its configuration.
func StartNginx(t *testing.T, files map[string][]byte) string {
	t.Helper()
	files["/etc/nginx/nginx.conf"] = []byte("events {}\nhttp {\n    access_log off;\n    include /etc/nginx/conf.d/*.conf;\n}\n")
	return startProxy(t, image("FEEDMILL_NGINX_IMAGE", "nginx:1"), files, "nginx", "-g", "daemon off; error_log stderr;")
}

// StartCaddy starts Caddy as StartNginx does. Its configuration is /etc/caddy/Caddyfile.
func StartCaddy(t *testing.T, files map[string][]byte) string {
	t.Helper()
	return startProxy(t, image("FEEDMILL_CADDY_IMAGE", "caddy:2"), files, "caddy", "run", "--config", "/etc/caddy/Caddyfile")
}

// StartHAProxy starts HAProxy as StartNginx does. Its configuration is /etc/haproxy/haproxy.cfg.
func StartHAProxy(t *testing.T, files map[string][]byte) string {
	t.Helper()
	return startProxy(t, image("FEEDMILL_HAPROXY_IMAGE", "haproxy:3.2"), files, "haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg")
}

// startProxy runs the command in a container until the test ends. The hosts app1 and app2 are the machine of the test. It
// waits until https://…/ready is answered with status 200, so something has to serve it behind the proxy.
func startProxy(t *testing.T, image string, files map[string][]byte, command ...string) string {
	t.Helper()
	request := testcontainers.ContainerRequest{
		Image:        image,
		Entrypoint:   command,
		Cmd:          []string{},
		ExposedPorts: []string{proxyPort},
		HostConfigModifier: func(config *container.HostConfig) {
			config.ExtraHosts = append(config.ExtraHosts, "app1:host-gateway", "app2:host-gateway")
		},
		Labels:     processLabels(),
		WaitingFor: wait.ForHTTP("/ready").WithPort(proxyPort).WithTLS(true).WithAllowInsecure(true).WithStartupTimeout(startTimeout),
	}
	for path, content := range files {
		request.Files = append(request.Files, testcontainers.ContainerFile{
			Reader: bytes.NewReader(content), ContainerFilePath: path, FileMode: 0o644,
		})
	}
	running, err := testcontainers.GenericContainer(t.Context(), testcontainers.GenericContainerRequest{
		ContainerRequest: request, Started: true, Logger: quiet{},
	})
	testcontainers.CleanupContainer(t, running, testcontainers.StopTimeout(0))
	require.NoError(t, err, "start %s (run testbed/up and load testbed/.env first)", image)
	address, err := running.PortEndpoint(t.Context(), proxyPort, "")
	require.NoError(t, err)
	return address
}
