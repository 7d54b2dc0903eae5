// Package proxies_test follows streams of a router through real proxies: nginx, Caddy and HAProxy in containers, and a proxy of Node
// with the npm package compression (in node/, where `npm ci` has to have run, as `make test` sees to). The configurations in
// conf/ without a suffix are those of docs/deploying.md.
package proxies_test

import (
	"testing"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }
