package proxies_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// hurried returns the documented configuration of a proxy with shorter times.
func hurried(kind string) config {
	switch kind {
	case "Caddy":
		return config{changes: []string{"lb_try_duration 5s", "lb_try_duration 500ms"}}
	default:
		return config{changes: []string{"60s", "1s"}}
	}
}

// instance is an app with one site.
type instance struct {
	*app
	*site
}

func startInstance(t *testing.T, port int, text string) *instance {
	t.Helper()
	i := &instance{startApp(t, port), newSite(t, ssestream.RouterConfig{Heartbeat: heartbeat})}
	i.Handle("/", i.site)
	i.set(t, "a", text)
	return i
}

// closeInstance ends the instance as docs/deploying.md says.
func closeInstance(t *testing.T, i *instance) {
	t.Helper()
	require.NoError(t, i.router.Close())
	i.stop(t)
}

// page is an EventSource that a proxy serves.
type page struct {
	name   string
	source *ssestreamtest.EventSource
	*ssestreamtest.Recorder
}

// openPages opens pages of one stream and of several, on each version of HTTP.
func openPages(t *testing.T, base string) []page {
	t.Helper()
	var pages []page
	for version := 1; version <= 2; version++ {
		if version == 2 && !strings.HasPrefix(base, "https") {
			break
		}
		for _, path := range []string{"/states/a", "/streams?stream=state:a"} {
			source := ssestreamtest.Open(t.Context(), client(t, version), base+path, ssestreamtest.WithMaxWait(100*time.Millisecond))
			p := page{fmt.Sprintf("%s on HTTP %d", path, version), source, ssestreamtest.Record(source)}
			t.Cleanup(func() { assert.NoError(t, p.Close()) })
			pages = append(pages, p)
		}
	}
	return pages
}

// await waits until the condition holds for each page.
func await(t *testing.T, pages []page, what string, condition func(p page) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, p := range pages {
		require.NoError(t, p.Wait(ctx, func(*ssestreamtest.Recorder) bool { return condition(p) }), "%s: %s", p.name, what)
	}
}

func awaitState(t *testing.T, pages []page, text string) {
	t.Helper()
	await(t, pages, text, func(p page) bool { return strings.Contains(p.Last().Data, text) })
}

// TestAppIsAway ends the app behind each proxy and starts it again. The pages follow it again, because the documented
// configurations answer streams with an empty one meanwhile.
func TestAppIsAway(t *testing.T) {
	t.Parallel()
	for kind, start := range kinds {
		for how, end := range map[string]func(t *testing.T, i *instance){
			"closed": closeInstance,
			"killed": func(t *testing.T, i *instance) { t.Helper(); i.kill(t) },
		} {
			t.Run(kind+"/"+how, func(t *testing.T) {
				t.Parallel()
				port := servers.FreePort(t)
				app := startInstance(t, port, "before")
				base := start(t, hurried(kind), port, servers.FreePort(t))
				pages := openPages(t, base)
				awaitState(t, pages, "before")

				end(t, app)
				connections := pages[0].Connections()
				await(t, pages, "empty streams", func(p page) bool {
					return p.Connections() >= connections+2 && p.source.Retry() == 3*time.Second
				})
				code, err := status(t.Context(), client(t, 1), base+"/states/a")
				require.NoError(t, err)
				assert.GreaterOrEqual(t, code, 500, "of a plain request")

				startInstance(t, port, "after")
				awaitState(t, pages, "after")
			})
		}
	}
}

// TestErrorEndsAnEventSource: without that configuration the pages are closed for good.
func TestErrorEndsAnEventSource(t *testing.T) {
	t.Parallel()
	starts := maps.Clone(kinds)
	starts["Node"] = func(t *testing.T, config config, ports ...int) string {
		t.Helper()
		return startNode(t, config, ports[0])
	}
	for kind, start := range starts {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			port := servers.FreePort(t)
			app := startInstance(t, port, "before")
			pages := openPages(t, start(t, config{suffix: "-plain"}, port))
			awaitState(t, pages, "before")
			closeInstance(t, app)
			for _, p := range pages {
				require.Eventually(t, func() bool { return p.Err() != nil }, patience, time.Millisecond)
				var refusal *ssestreamtest.ResponseError
				require.ErrorAs(t, p.Err(), &refusal)
				assert.GreaterOrEqual(t, refusal.StatusCode, http.StatusBadGateway)
			}
		})
	}
}

// TestAppHangs: a stream that the app does not answer is answered with an empty one too. Caddy waits for it for ever.
func TestAppHangs(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"nginx", "HAProxy"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			port := servers.FreePort(t)
			app := startApp(t, port)
			app.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			pages := openPages(t, kinds[kind](t, hurried(kind), port, port))
			await(t, pages, "empty streams", func(p page) bool { return p.Connections() >= 2 && p.source.Retry() == 3*time.Second })
		})
	}
}

// TestHeartbeatsOutlastTimeouts: a proxy ends what is silent for longer than its timeouts, and a stream is not. Caddy has
// no such timeouts.
func TestHeartbeatsOutlastTimeouts(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"nginx", "HAProxy"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			app := startApp(t, 0)
			base := kinds[kind](t, hurried(kind), app.port, app.port)
			beating := app.mount(newSite(t, ssestream.RouterConfig{Heartbeat: heartbeat}))
			silent := app.mount(newSite(t, ssestream.RouterConfig{Heartbeat: ssestream.Off}))
			for version := 1; version <= 2; version++ {
				live := ssestreamtest.Record(connect(t, version, base+beating+"/states/a"))
				cut := ssestreamtest.Record(connect(t, version, base+silent+"/states/a"))
				awaitHeartbeats(t, live, 25) // for more than twice the timeout
				require.NoError(t, live.Err(), "HTTP %d", version)
				require.Eventually(t, func() bool { return cut.Err() != nil }, patience, time.Millisecond, "HTTP %d", version)
				require.NoError(t, live.Close())
				_ = cut.Close() // it was cut
			}
		})
	}
}

func connect(t *testing.T, version int, url string) *ssestreamtest.Stream {
	t.Helper()
	stream, err := ssestreamtest.Connect(t.Context(), client(t, version), url)
	require.NoError(t, err)
	return stream
}

// TestRollingRestart ends one of two instances after the other. The pages move to the one that serves.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ports := []int{servers.FreePort(t), servers.FreePort(t)}
			first, second := startInstance(t, ports[0], "one"), startInstance(t, ports[1], "one")
			base := start(t, config{}, ports...)
			pages := openPages(t, base)
			awaitState(t, pages, "one")
			ctx, cancel := context.WithCancel(t.Context())
			asking := askSteadily(ctx, t, base+"/ready")

			closeInstance(t, first)
			second.set(t, "a", "two")
			awaitState(t, pages, "two")

			first = startInstance(t, ports[0], "three")
			awaitReady(t, base, first)
			closeInstance(t, second)
			awaitState(t, pages, "three")
			cancel()
			asking.Wait()
		})
	}
}

// askSteadily sends plain requests, which must not fail, until ctx ends.
func askSteadily(ctx context.Context, t *testing.T, url string) *sync.WaitGroup {
	t.Helper()
	var asking sync.WaitGroup
	for version := 1; version <= 2; version++ {
		client := client(t, version)
		asking.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				code, err := status(context.WithoutCancel(ctx), client, url)
				if err != nil || code != http.StatusOK {
					t.Errorf("plain request %d: status %d, %v", n, code, err)
					return
				}
			}
		})
	}
	return &asking
}

// awaitReady waits until the proxy passes requests on to the instance again.
func awaitReady(t *testing.T, base string, i *instance) {
	t.Helper()
	client := client(t, 1)
	require.Eventually(t, func() bool {
		_, err := status(t.Context(), client, base+"/ready")
		return err == nil && i.asked.Load()
	}, patience, 10*time.Millisecond)
}

// status returns the status of a plain request.
func status(ctx context.Context, client *http.Client, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}
