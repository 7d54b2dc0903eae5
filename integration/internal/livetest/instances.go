package livetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// Parts are what an instance is made of. Their schema exists.
type Parts struct {
	Outbox outbox.Outbox
	Items  *postgresstore.Repository[cqrsfeedtest.Body] // the type of all SQL stores
	Feeds  cqrsfeed.FeedStore[cqrsfeedtest.Body]
	Live   feedmill.Live
}

// Instance is an App with an open page.
type Instance struct {
	URL   string
	Items *postgresstore.Repository[cqrsfeedtest.Body]
	// Stop ends the page and the App. The end of the test calls it too.
	Stop func()

	page *ssestreamtest.Recorder
}

// StartInstance runs an App on parts of its own, whose feed has so many items. Its streams load only what they are told of.
func StartInstance(tb testing.TB, open func(testing.TB) Parts, count int) *Instance {
	tb.Helper()
	parts := open(tb)
	tb.Cleanup(func() { assert.NoError(tb, parts.Live.Close()) })
	app, err := feedmill.New(feedmill.Config{
		Outbox: parts.Outbox, Live: parts.Live, Router: ssestream.RouterConfig{Resync: ssestream.Off},
	}, watermill.NopLogger{})
	require.NoError(tb, err)
	tags, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[cqrsfeedtest.Body]{
		Items: parts.Items, Store: parts.Feeds, PageSize: 1,
		FeedsOf: func(cqrsfeed.Item[cqrsfeedtest.Body]) []string { return []string{"all"} },
	})
	require.NoError(tb, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", tags.Handler("feed"))
	server := httptest.NewServer(mux)
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	i := &Instance{URL: server.URL, Items: parts.Items}
	var failed error
	ended := make(chan struct{})
	go func() { defer close(ended); failed = app.Run(ctx) }()
	i.Stop = sync.OnceFunc(func() {
		var err error
		if i.page != nil {
			err = i.page.Close()
		}
		stop()
		<-ended
		err = errors.Join(err, failed, parts.Live.Close())
		server.Close()
		assert.NoError(tb, err)
	})
	tb.Cleanup(i.Stop)
	select {
	case <-app.Running():
	case <-ended:
		require.FailNow(tb, "the App does not run") // Stop has the error.
	}
	i.page = ssestreamtest.Record(ssestreamtest.Open(ctx, server.Client(), server.URL+"/feeds/all"))
	i.Shows(tb, count)
	return i
}

// Shows waits until the page counts so many items, and returns when it did.
func (i *Instance) Shows(tb testing.TB, count int) time.Time {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
	defer cancel()
	require.NoError(tb, i.page.Wait(ctx, func(page *ssestreamtest.Recorder) bool {
		var shown cqrsfeed.FeedPage[cqrsfeedtest.Body]
		return json.Unmarshal([]byte(page.Last().Data), &shown) == nil && shown.Feed.Count == int64(count)
	}), "it counts %d items", count)
	return i.page.Last().At
}

// requireReads gets the feed with the token of an item, and requires that the item is the newest. A store may count it later.
func (i *Instance) requireReads(t *testing.T, item cqrsfeed.Item[cqrsfeedtest.Body]) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL+"/feeds/all", http.NoBody)
	require.NoError(t, err)
	request.Header.Set(cqrsfeed.TokenHeader, item.Token("item").String())
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	var page cqrsfeed.FeedPage[cqrsfeedtest.Body]
	require.NoError(t, json.NewDecoder(response.Body).Decode(&page))
	require.NoError(t, response.Body.Close())
	require.Len(t, page.Items, 1)
	require.Equal(t, item.ID, page.Items[0].ID)
}

// TestInstances has three instances follow each other, with nothing else than their databases: also when one of them was
// restarted, and when cut has ended all their connections to the database of Live. A read at one waits for the write of another.
func TestInstances(t *testing.T, open func(testing.TB) Parts, cut func(*testing.T)) {
	t.Helper()
	count := 0
	instances := []*Instance{StartInstance(t, open, 0), StartInstance(t, open, 0), StartInstance(t, open, 0)}
	follow := func(instances ...*Instance) {
		t.Helper()
		for n := range 5 * len(instances) {
			count++
			item, err := instances[n%len(instances)].Items.Create(t.Context(), fmt.Sprint("item-", count), cqrsfeedtest.Body{})
			require.NoError(t, err)
			instances[(n+1)%len(instances)].requireReads(t, item)
			for _, i := range instances {
				i.Shows(t, count)
			}
		}
	}
	follow(instances...)
	instances[1].Stop()
	follow(instances[0], instances[2])
	instances[1] = StartInstance(t, open, count)
	follow(instances...)
	cut(t)
	follow(instances...)
}
