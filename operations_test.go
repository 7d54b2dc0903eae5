package feedmill_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// operated is an app with its page for operators.
type operated struct {
	t     *testing.T
	url   string
	notes *sqlitestore.Repository[Note]
}

func (o operated) state() (state operate.State) {
	o.t.Helper()
	response, err := http.Get(o.url + "/operations")
	require.NoError(o.t, err)
	defer response.Body.Close()
	require.NoError(o.t, json.NewDecoder(response.Body).Decode(&state))
	return state
}

func (o operated) act(action, name string) {
	o.t.Helper()
	response, err := http.PostForm(o.url+"/operations", url.Values{"action": {action}, "name": {name}})
	require.NoError(o.t, err)
	require.NoError(o.t, response.Body.Close())
	require.Equal(o.t, http.StatusOK, response.StatusCode)
}

func openOperated(t *testing.T) operated {
	t.Helper()
	db := openExample()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return runOperated(t, db, feedmill.FeedsConfig[Note]{FeedsOf: tagsOf})
}

// runOperated runs a release of an app on a database, and stops it when the test ends.
func runOperated(t *testing.T, db *sql.DB, c feedmill.FeedsConfig[Note]) operated {
	t.Helper()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[Note](store, "note"))
	c.Items, c.Store = notes, must(sqlitestore.NewFeedStore[Note](store, "note"))
	require.NoError(t, store.EnsureSchema(t.Context()))
	app, err := feedmill.New(feedmill.Config{Outbox: store.Outbox()}, watermill.NopLogger{})
	require.NoError(t, err)
	tags, err := feedmill.AddFeeds(app, c)
	require.NoError(t, err)
	page, err := app.Operations()
	require.NoError(t, err)
	_, err = app.Operations()
	require.ErrorContains(t, err, "called before")
	require.ErrorContains(t, app.AddProjection(projector.Config{Name: "late", Topics: []string{"t"}}), "Operations was called before")

	mux := http.NewServeMux()
	mux.Handle("/operations", page)
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	server := httptest.NewServer(mux)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()
	<-app.Running()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
		server.Close()
	})
	return operated{t, server.URL, notes}
}

func TestOperatorsPauseAProjection(t *testing.T) {
	t.Parallel()
	o := openOperated(t)
	states := follow(o.url + "/feeds/go")
	require.Zero(t, count(<-states))
	require.Equal(t, []operate.Stream{{Topics: "note-feed-updated", Key: "go", Clients: 1}}, o.state().Streams.Shown)

	o.act("pause", "note-feeds")
	_, err := o.notes.Create(t.Context(), "n1", Note{Text: "hello", Tag: "go"})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		topics := o.state().Outbox.Topics
		assert.Len(c, topics, 1)
		assert.Equal(c, "note-created", topics[0].Topic)
	}, patience, 10*time.Millisecond)
	o.act("resume", "note-feeds")
	require.Equal(t, int64(1), count(<-states), "it was applied then")
	require.Eventually(t, func() bool { return o.state().Outbox.Waiting == 0 }, patience, 10*time.Millisecond)
	status := o.state().Projections[0]
	require.False(t, status.Applied.IsZero())
	require.Positive(t, status.LagSeconds)
}

func TestOperatorsRebuildFeeds(t *testing.T) {
	t.Parallel()
	o := openOperated(t)
	_, err := o.notes.Create(t.Context(), "n1", Note{Text: "hello", Tag: "go"})
	require.NoError(t, err)
	require.Contains(t, o.work("rebuild").Progress, "1 of 1 items")
}

// work asks for a rebuild or an audit, waits until it has ended well and returns it.
func (o operated) work(action string) operate.JobState {
	o.t.Helper()
	o.act(action, "note-feeds")
	require.Eventually(o.t, func() bool { return !o.state().ReadModels[0].Job.Ended.IsZero() }, patience, 10*time.Millisecond)
	job := *o.state().ReadModels[0].Job
	require.Empty(o.t, job.Failure)
	return job
}

// TestOperatorsApplyANewRule has the page of each release work by that release's rule.
func TestOperatorsApplyANewRule(t *testing.T) {
	t.Parallel()
	all := func(cqrsfeed.Item[Note]) []string { return []string{"all"} }
	for _, action := range []string{"rebuild", "repair"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			db := openExample()
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			counts := func(t *testing.T) (counts [2]int64) {
				t.Helper()
				feeds := must(sqlitestore.NewFeedStore[Note](must(sqlitestore.New(db, sqlitestore.Config{})), "note"))
				for i, feed := range []string{"go", "all"} {
					page, err := feeds.Page(t.Context(), feed, "", 1)
					require.NoError(t, err)
					counts[i] = page.Feed.Count
				}
				return counts
			}
			release := func(name string, feedsOf func(cqrsfeed.Item[Note]) []string, rule int64, do func(operated)) {
				t.Run(name, func(t *testing.T) { // one release after the other
					do(runOperated(t, db, feedmill.FeedsConfig[Note]{FeedsOf: feedsOf, RuleVersion: rule}))
				})
			}
			release("old", tagsOf, 1, func(o operated) {
				_, err := o.notes.Create(t.Context(), "n1", Note{Text: "hello", Tag: "go"})
				require.NoError(t, err)
				require.Eventually(t, func() bool { return counts(t) == [2]int64{1, 0} }, patience, 10*time.Millisecond)
			})
			release("new", all, 2, func(o operated) {
				o.work(action)
				require.Equal(o.t, [2]int64{0, 1}, counts(o.t), "the item has moved")
			})
			store := must(sqlitestore.New(db, sqlitestore.Config{}))
			_, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[Note]{
				Source: must(sqlitestore.NewRepository[Note](store, "note")), Store: must(sqlitestore.NewFeedStore[Note](store, "note")),
				FeedsOf: tagsOf, RuleVersion: 2,
			})
			require.NoError(t, err)
			require.Equal(t, [2]int64{0, 1}, counts(t), "the item was placed by rule 2, and not by an older one")
		})
	}
}

// countedWork is a subscriber whose broker tells what waits.
type countedWork struct{ message.Subscriber }

func (countedWork) Backlog(context.Context, string) (projector.Backlog, error) {
	return projector.Backlog{}, nil
}

// TestTargetOfFeeds is what a process without an App rebuilds and audits.
func TestTargetOfFeeds(t *testing.T) {
	t.Parallel()
	db := openExample()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	c := feedmill.FeedsConfig[Note]{
		Items: must(sqlitestore.NewRepository[Note](store, "note")), Store: must(sqlitestore.NewFeedStore[Note](store, "note")),
		FeedsOf: tagsOf, RuleVersion: 7,
	}
	target, err := c.Target(feedmill.Config{Outbox: store.Outbox()})
	require.NoError(t, err)
	require.Equal(t, int64(7), target.RuleVersion)
	require.Equal(t, []string{"go"}, target.FeedsOf(cqrsfeed.Item[Note]{Body: Note{Tag: "go"}}))
	require.Empty(t, target.UpdatesTopic, "without a broker it announces nothing")
	require.NotNil(t, target.Outbox)
	publisher := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	t.Cleanup(func() { require.NoError(t, publisher.Close()) })
	target, err = c.Target(feedmill.Config{Broker: &feedmill.Broker{Publisher: publisher, Live: publisher, Work: countedWork{publisher}}})
	require.NoError(t, err)
	require.Equal(t, "note-feed-updated", target.UpdatesTopic)
	require.Equal(t, []operate.AtBroker{{
		Projection: "note-feeds", Topics: []string{"note-created", "note-updated", "note-deleted"}, Subscriber: countedWork{publisher},
	}}, target.AtBroker)

	c.Items = feedmill.ItemsElsewhere[Note]("note")
	_, err = c.Target(feedmill.Config{})
	require.ErrorContains(t, err, "Items")
	_, err = feedmill.FeedsConfig[Note]{}.Target(feedmill.Config{})
	require.ErrorContains(t, err, "Store is missing")
}

// TestOperatorsHaveAnAddress of their own while the app runs, for requests to an IP address or localhost.
func TestOperatorsHaveAnAddress(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox(), Operators: listener})
	n.add(t, app)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for host, status := range map[string]int{"": http.StatusOK, "rebound.example": http.StatusForbidden} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), http.NoBody)
		require.NoError(t, err)
		request.Host = host
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, host)
	}
	stop()
	require.NoError(t, <-stopped)
	_, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.Error(t, err, "the page ends with the app")
}
