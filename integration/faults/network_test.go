package faults_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// wire is the network between the microblog and one of its servers.
type wire struct {
	*ssestreamtest.Proxy

	name     string
	harmless bool // changes are accepted without it
}

// TestNetworkFails disturbs the network between the microblog and each of its servers: resets, refused connections, stalls,
// and connections that are gone for one end only.
func TestNetworkFails(t *testing.T) {
	t.Parallel()
	mysqlServer, dsn := servers.OwnMySQL(t)
	mongoServer, uri := servers.OwnMongo(t)
	natsServer, natsURL := servers.OwnNATS(t)
	wires := []*wire{newWire(t, mysqlServer), newWire(t, mongoServer), newWire(t, natsServer)}
	wires[0].harmless = false
	m := startMicroblog(t, "-mysql-dsn", wires[0].throughDSN(t, dsn), "-mongo-uri", wires[1].through(t, uri), "-nats-url", wires[2].through(t, natsURL))
	m.awaitReady(t)
	s := newStage(t, m.url, openPosts(t, dsn))

	var faults []fault
	for _, w := range wires {
		faults = append(faults, w.faults(long(t) > 0)...)
	}
	s.run(t, append(faults, fault{name: "all connections stranded", begin: func(t *testing.T) {
		t.Helper()
		for _, w := range wires {
			w.Strand()
		}
	}}))
}

func newWire(t *testing.T, server *servers.Own) *wire {
	t.Helper()
	proxy, err := ssestreamtest.StartProxy("tcp://" + server.Address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	return &wire{Proxy: proxy, name: server.String(), harmless: true}
}

// address returns the address of the proxy in front of the server.
func (w *wire) address(t *testing.T) string {
	t.Helper()
	parsed, err := url.Parse(w.URL())
	require.NoError(t, err)
	return parsed.Host
}

// through returns a server's URL with the address of the proxy.
func (w *wire) through(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	parsed.Host = w.address(t)
	return parsed.String()
}

// throughDSN returns a MySQL server's DSN with the address of the proxy.
func (w *wire) throughDSN(t *testing.T, dsn string) string {
	t.Helper()
	config, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	config.Addr = w.address(t)
	return config.FormatDSN()
}

// faults returns the faults of one wire. Those that take long are in the long form only.
func (w *wire) faults(all bool) []fault {
	set := func(faults ssestreamtest.Faults) func(*testing.T) { return func(*testing.T) { w.Set(faults) } }
	faults := []fault{
		{name: w.name + " reset", begin: func(*testing.T) { w.Reset() }},
		{name: w.name + " cut off", begin: func(*testing.T) {
			w.Set(ssestreamtest.Faults{Refuse: true})
			w.Cut()
		}, lasts: time.Second, end: set(ssestreamtest.Faults{})},
		{name: w.name + " stalled", begin: set(ssestreamtest.Faults{Stall: true}), lasts: 2 * time.Second, end: set(ssestreamtest.Faults{})},
	}
	if all {
		faults = append(faults,
			fault{name: w.name + " stranded", begin: func(*testing.T) { w.Strand() }},
			fault{name: w.name + " stalled for long", begin: set(ssestreamtest.Faults{Stall: true}), lasts: 25 * time.Second, end: set(ssestreamtest.Faults{})},
			fault{name: w.name + " stalled and reset", begin: set(ssestreamtest.Faults{Stall: true}), lasts: 15 * time.Second, end: func(*testing.T) {
				w.Reset()
				w.Set(ssestreamtest.Faults{})
			}})
	}
	for i := range faults {
		faults[i].harmless = w.harmless
	}
	return faults
}
