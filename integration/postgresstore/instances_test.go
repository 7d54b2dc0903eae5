package postgresstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// instance is an App with a pool of its own on a database, and an open page.
type instance struct {
	url   string
	items *postgresstore.Repository[cqrsfeedtest.Body]
	page  *ssestreamtest.Recorder
}

// startInstance runs an App until the test ends. Its streams load only what they are told of.
func startInstance(tb testing.TB, dsn string) instance {
	tb.Helper()
	store := newStore(tb, openDB(tb, dsn))
	items, err := postgresstore.NewRepository[cqrsfeedtest.Body](store, "item")
	require.NoError(tb, err)
	feeds, err := postgresstore.NewFeedStore[cqrsfeedtest.Body](store, "item")
	require.NoError(tb, err)
	live, err := postgresstore.NewLive(store, postgresstore.LiveConfig{}, watermill.NopLogger{})
	require.NoError(tb, err)
	require.NoError(tb, store.EnsureSchema(tb.Context()))
	app, err := feedmill.New(feedmill.Config{
		Outbox: store.Outbox(), Live: live, Router: ssestream.RouterConfig{Resync: ssestream.Off},
	}, watermill.NopLogger{})
	require.NoError(tb, err)
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[cqrsfeedtest.Body]{
		Items: items, Store: feeds, FeedsOf: func(cqrsfeed.Item[cqrsfeedtest.Body]) []string { return []string{"all"} }, PageSize: 1,
	})
	require.NoError(tb, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", tags.Handler("feed"))
	server := httptest.NewServer(mux)
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	<-app.Running()
	page := ssestreamtest.Record(ssestreamtest.Open(ctx, server.Client(), server.URL+"/feeds/all"))
	tb.Cleanup(func() {
		assert.NoError(tb, page.Close())
		stop()
		assert.NoError(tb, <-ended)
		assert.NoError(tb, live.Close())
		server.Close()
	})
	i := instance{server.URL, items, page}
	i.shows(tb, 0)
	return i
}

// shows waits until the page counts so many items, and returns when it did.
func (i instance) shows(tb testing.TB, count int) time.Time {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	text := fmt.Sprintf(`"count":%d,`, count)
	require.NoError(tb, i.page.Wait(ctx, func(page *ssestreamtest.Recorder) bool { return counts(page.Last().Data, count) }), text)
	return i.page.Last().At
}

func counts(state string, count int) bool {
	var page struct{ Feed cqrsfeed.Feed }
	return json.Unmarshal([]byte(state), &page) == nil && page.Feed.Count == int64(count)
}

// TestInstancesFollowEachOther, with nothing else than the database. A read at one waits for the write of another.
func TestInstancesFollowEachOther(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	instances := []instance{startInstance(t, dsn), startInstance(t, dsn), startInstance(t, dsn)}
	for n := 1; n <= 30; n++ {
		item, err := instances[n%3].items.Create(t.Context(), fmt.Sprint("item-", n), cqrsfeedtest.Body{})
		require.NoError(t, err)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, instances[(n+1)%3].url+"/feeds/all", http.NoBody)
		require.NoError(t, err)
		request.Header.Set(cqrsfeed.TokenHeader, item.Token("item").String())
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		var page struct{ Feed cqrsfeed.Feed }
		require.NoError(t, json.NewDecoder(response.Body).Decode(&page))
		require.NoError(t, response.Body.Close())
		require.Equal(t, int64(n), page.Feed.Count)
		for _, i := range instances {
			i.shows(t, n)
		}
	}
}

// BenchmarkTwoInstances has one of two idle instances write, and measures how long after the call of Create the open page of
// each shows the item. to-here is the ratio of the medians.
func BenchmarkTwoInstances(b *testing.B) {
	dsn := servers.SafePostgres(b)
	one, other := startInstance(b, dsn), startInstance(b, dsn)
	var here, there []time.Duration
	for n := 0; b.Loop(); {
		n++
		began := time.Now()
		_, err := one.items.Create(b.Context(), fmt.Sprint("item-", n), cqrsfeedtest.Body{})
		require.NoError(b, err)
		here = append(here, one.shows(b, n).Sub(began))
		there = append(there, other.shows(b, n).Sub(began))
	}
	b.ReportMetric(at(here, 50), "here-p50-µs")
	b.ReportMetric(at(there, 50), "there-p50-µs")
	b.ReportMetric(at(here, 99), "here-p99-µs")
	b.ReportMetric(at(there, 99), "there-p99-µs")
	b.ReportMetric(float64(median(there))/float64(median(here)), "to-here")
}
