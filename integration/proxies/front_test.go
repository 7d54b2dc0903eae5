package proxies_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

// kinds start the proxies in front of the ports, and return their URLs.
var kinds = map[string]func(t *testing.T, config config, ports ...int) string{ //nolint:gochecknoglobals // a table
	"nginx": func(t *testing.T, config config, ports ...int) string {
		t.Helper()
		return "https://" + servers.StartNginx(t, config.files(t, "nginx", ".conf", "/etc/nginx/conf.d/app.conf", ports))
	},
	"Caddy": func(t *testing.T, config config, ports ...int) string {
		t.Helper()
		return "https://" + servers.StartCaddy(t, config.files(t, "Caddyfile", "", "/etc/caddy/Caddyfile", ports))
	},
	"HAProxy": func(t *testing.T, config config, ports ...int) string {
		t.Helper()
		return "https://" + servers.StartHAProxy(t, config.files(t, "haproxy", ".cfg", "/etc/haproxy/haproxy.cfg", ports))
	},
}

// config names a configuration of a proxy.
type config struct {
	suffix  string   // "-plain", "-compressed", or "" for that of the documentation
	changes []string // pairs of what is replaced and by what
}

// files returns the configuration files of a proxy in front of apps that listen on the ports.
func (c config) files(t *testing.T, name, extension, path string, ports []int) map[string][]byte {
	t.Helper()
	text := read(t, "conf/"+name+c.suffix+extension)
	for i := 0; i < len(c.changes); i += 2 {
		require.Contains(t, text, c.changes[i])
		text = strings.ReplaceAll(text, c.changes[i], c.changes[i+1])
	}
	for i, port := range ports {
		host := "app" + strconv.Itoa(i+1) + ":"
		text = strings.ReplaceAll(text, host+"8080", host+strconv.Itoa(port))
	}
	return map[string][]byte{path: []byte(text), "/etc/site.pem": certificate().pem, "/etc/away.http": []byte(read(t, "conf/away.http"))}
}

// startNode starts the proxy of Node in front of the port, and returns its URL. It speaks HTTP/1.1 without TLS.
func startNode(t *testing.T, config config, port int) string {
	t.Helper()
	require.FileExists(t, "node/node_modules/compression/package.json",
		"`npm ci` has to have run in integration/proxies/node, as `make test` sees to")
	args := []string{"proxy.mjs", "http://127.0.0.1:" + strconv.Itoa(port)}
	if config.suffix == "-compressed" {
		args = append(args, "compressed")
	}
	node := exec.CommandContext(t.Context(), "node", args...)
	node.Dir = "node"
	node.Stderr = os.Stderr
	stdin, err := node.StdinPipe()
	require.NoError(t, err)
	stdout, err := node.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, node.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // it may have ended
		_ = node.Wait()   // the end of the context kills it
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "the proxy did not start")
	return "http://127.0.0.1:" + strings.TrimSpace(line)
}

// client returns a client that asks for compression as a browser does, and decompresses at once what comes.
func client(t *testing.T, version int) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate().pem)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: version == 2,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: decoding{transport, version}}
}

type keyPair struct{ pem []byte }

// certificate returns a certificate for example.com and its key.
var certificate = sync.OnceValue(func() keyPair { //nolint:gochecknoglobals // made once
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		panic(err)
	}
	var both bytes.Buffer
	for _, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, {Type: "PRIVATE KEY", Bytes: key}} {
		if err := pem.Encode(&both, block); err != nil {
			panic(err)
		}
	}
	return keyPair{both.Bytes()}
})

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	require.NoError(t, err)
	return string(text)
}
