package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestInstances restarts three microblogs behind a proxy one after the other, and kills one. Posts are accepted meanwhile. Open
// pages follow at all instances, never go back, and end on the last state.
func TestInstances(t *testing.T) {
	t.Parallel()
	dsn := servers.MySQL(t)
	instances := startInstances(t, "-mysql-dsn", dsn, "-mongo-uri", servers.Mongo(t), "-nats-url", servers.NATS(t))
	runInstances(t, newStage(t, balance(t, instances), openPosts(t, dsn)), instances)
}

// TestInstancesOnPostgres does the same to three microblogs that have nothing but a PostgreSQL, and ends the connections on which
// they listen.
func TestInstancesOnPostgres(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	instances := startInstances(t, "-postgres-dsn", dsn)
	posts, db := openPostgresPosts(t, dsn)
	s := newStage(t, balance(t, instances), posts)
	s.queues = 1
	runInstances(t, s, instances, fault{name: "end of the listening connections", harmless: true, begin: func(t *testing.T) {
		t.Helper()
		var ended int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "+
			"WHERE datname = current_database() AND query LIKE 'LISTEN%'").Scan(&ended))
		require.Equal(t, len(instances), ended)
	}})
}

// startInstances starts three microblogs.
func startInstances(t *testing.T, args ...string) []*microblog {
	t.Helper()
	instances := make([]*microblog, 3)
	for i := range instances {
		instances[i] = startMicroblog(t, args...)
	}
	for _, m := range instances {
		m.awaitReady(t)
	}
	return instances
}

// runInstances restarts instances and kills one, after other faults.
func runInstances(t *testing.T, s *stage, instances []*microblog, faults ...fault) {
	t.Helper()
	s.rate = 30 // three processes share the machine
	pages := make([]*ssestreamtest.Recorder, 30)
	for i := range pages {
		path := "/api/feeds/probe"
		if i%2 > 0 {
			path = fmt.Sprintf("/api/feeds/tag%d", i%tags)
		}
		pages[i] = ssestreamtest.Record(ssestreamtest.Open(context.WithoutCancel(t.Context()), s.client, s.url+path,
			ssestreamtest.WithMaxWait(200*time.Millisecond)))
		t.Cleanup(func() { require.NoError(t, pages[i].Close()) })
	}

	for i, m := range instances {
		faults = append(faults, fault{name: fmt.Sprint("restart of instance ", i+1), begin: m.stop, end: m.start, harmless: true})
	}
	s.run(t, append(faults, fault{name: "kill of instance 1", begin: instances[0].kill, end: instances[0].start, harmless: true}))

	// A router loads everything again after half a minute. Until then, an instance knows what others wrote by its live subscription.
	for _, m := range instances {
		m.awaitReady(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	last := s.prober.create(t.Context(), "the last #probe")
	require.NotEmpty(t, last.id, "no instance is away")
	for i, page := range pages {
		if i%2 == 0 {
			require.NoError(t, page.Wait(ctx, func(page *ssestreamtest.Recorder) bool { return strings.Contains(page.Last().Data, last.id) }))
		}
		requireNoStepBack(t, page)
	}
}

// requireNoStepBack fails if a page was sent an older state of its feed after a newer one.
func requireNoStepBack(t *testing.T, page *ssestreamtest.Recorder) {
	t.Helper()
	var shown api.FeedPage
	for _, event := range page.Events() {
		if event.Type != "data" {
			continue
		}
		var next api.FeedPage
		require.NoError(t, json.Unmarshal([]byte(event.Data), &next))
		require.GreaterOrEqual(t, next.Revision, shown.Revision, "of feed %s", next.Name)
		shown = next
	}
}

// balance starts a proxy as that of docker-compose.scale.yml: a request goes to the next instance that takes its connection.
// While none does, a stream is answered with an empty one, so that its client comes back.
func balance(t *testing.T, instances []*microblog) string {
	t.Helper()
	var next atomic.Int64
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var refused error
			for range instances {
				m := instances[int(next.Add(1))%len(instances)]
				conn, err := (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(m.url, "http://"))
				if err == nil {
					return conn, nil
				}
				refused = errors.Join(refused, err)
			}
			return nil, refused
		},
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "microblog"})
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			if !strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream") {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			_, err := io.WriteString(w, "retry: 100\n\n")
			assert.NoError(t, err)
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL
}
