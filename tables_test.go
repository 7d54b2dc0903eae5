package feedmill_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
)

// countNotes is a step of a table of the number of notes by tag.
func countNotes(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[note]) error {
	for by, item := range map[int]*cqrsfeed.Item[note]{-1: before, 1: after} {
		if item == nil {
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO counts (tag, n) VALUES (?, ?)
			ON CONFLICT (tag) DO UPDATE SET n = n + excluded.n`, item.Body.Tag, by)
		if err != nil {
			return err
		}
	}
	return nil
}

// counting has a page for each tag with the number of its notes, and the page of its operators.
func (n notes) counting(t *testing.T, app *feedmill.App) *http.ServeMux {
	t.Helper()
	counts, err := sqlitestore.NewTableProjection(n.store, "counts", countNotes)
	require.NoError(t, err)
	require.NoError(t, n.store.EnsureSchema(t.Context()))
	must(n.db.ExecContext(t.Context(), "CREATE TABLE counts (tag TEXT PRIMARY KEY, n INTEGER NOT NULL)"))
	table, err := feedmill.AddTable(app, feedmill.TableConfig[note]{
		Name: "counts", Items: n.repo, Projection: counts,
		Clear: func(ctx context.Context) error {
			return counts.Clear(ctx, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "DELETE FROM counts")
				return err
			})
		},
	})
	require.NoError(t, err)
	page, err := ssestream.AdapterBuilder[cqrsfeed.ItemUpdated[note], int]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("tag"), nil },
		EventKeys:  func(e cqrsfeed.ItemUpdated[note]) []string { return []string{e.Item.Body.Tag} },
		Load: func(ctx context.Context, tag string) (count int, err error) {
			err = n.db.QueryRowContext(ctx, "SELECT COALESCE(SUM(n), 0) FROM counts WHERE tag = ?", tag).Scan(&count)
			return count, err
		},
	}.Build()
	require.NoError(t, err)
	operations, err := app.Operations()
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /counts/{tag}", app.Handle(page, table.Topic()))
	mux.Handle("/operations", operations)
	return mux
}

// TestReadsSeeTheStepOfTheirToken: a read that follows a table waits for it.
func TestReadsSeeTheStepOfTheirToken(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	s := newSite(t, n.counting(t, app))
	run(t, app)
	for i := range 20 {
		token := n.create(t, fmt.Sprint("n", i), "go").Token("note").String()
		read := s.get(t, "/counts/go", cqrsfeed.TokenHeader, token)
		require.Equal(t, i+1, decode[int](t, read.body))
		require.Empty(t, read.header.Get(cqrsfeed.PendingHeader))
	}
}

// TestReadsWaitForWhatTheyFollow and not for another read model of the same items that is late.
func TestReadsWaitForWhatTheyFollow(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	users, err := feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{
		Name: "stuck", Items: feedmill.ItemsElsewhere[note]("note"), Store: stuckStore{n.feeds}, FeedsOf: tagOf,
	})
	require.NoError(t, err)
	mux := n.counting(t, app)
	mux.HandleFunc("GET /feeds/{tag}", users.Handler("tag"))
	mux.HandleFunc("GET /both/{tag}", app.Handle(users.Pages("tag", nil), "another topic"))
	s := newSite(t, mux)
	run(t, app)
	token := n.create(t, "n1", "go").Token("note").String()
	assert.Empty(t, s.get(t, "/counts/go", cqrsfeed.TokenHeader, token).header.Get(cqrsfeed.PendingHeader))
	for _, path := range []string{"/feeds/go", "/both/go"} {
		assert.Equal(t, token, s.get(t, path, cqrsfeed.TokenHeader, token).header.Get(cqrsfeed.PendingHeader), path)
	}
}

// TestPagesFollowARebuildOfATable by the page of operators, whatever their keys are.
func TestPagesFollowARebuildOfATable(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox(), Router: ssestream.RouterConfig{Resync: time.Hour}})
	s := newSite(t, n.counting(t, app))
	run(t, app)
	page := s.follow(t, "/counts/go")
	require.Zero(t, next[int](t, page))
	must(n.db.ExecContext(t.Context(), "INSERT INTO counts (tag, n) VALUES ('go', 7)"))
	n.create(t, "n1", "go")
	require.Equal(t, 8, next[int](t, page), "somebody changed the table")
	s.operate(t, "remake")
	require.Equal(t, 1, next[int](t, page))

	// A change without an event.
	must(n.db.ExecContext(t.Context(), `UPDATE note SET body = '{"Text":"x","Tag":"rust"}', version = 2 WHERE id = 'n1'`))
	s.operate(t, "repair")
	require.Zero(t, next[int](t, page))
	require.Equal(t, 1, next[int](t, s.follow(t, "/counts/rust")))
}

// operate presses a button of the table.
func (s site) operate(t *testing.T, action string) {
	t.Helper()
	response, err := s.client.PostForm(s.url+"/operations", url.Values{"action": {action}, "name": {"counts"}, "confirm": {"yes"}})
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestTableConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := feedmill.AddTable(newApp(t, feedmill.Config{Outbox: newNotes(t).store.Outbox()}), feedmill.TableConfig[note]{})
	for _, field := range []string{"Name", "Items", "Projection"} {
		require.ErrorContains(t, err, field)
	}
}

// TestTargetOfTable is what a process without an App rebuilds and audits.
func TestTargetOfTable(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	counts, err := sqlitestore.NewTableProjection(n.store, "counts", countNotes)
	require.NoError(t, err)
	broker := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	c := feedmill.TableConfig[note]{Name: "counts", Items: n.repo, Projection: counts}
	target, err := c.Target(feedmill.Config{
		Outbox: n.store.Outbox(), Broker: &feedmill.Broker{Publisher: broker, Live: broker, Work: countedWork{broker}},
	})
	require.NoError(t, err)
	require.Equal(t, n.store.Outbox(), target.Outbox)
	require.Equal(t, "counts-updated", target.UpdatesTopic)
	require.Len(t, target.AtBroker, 1)
	require.Equal(t, "counts", target.AtBroker[0].Projection)

	c.Items = feedmill.ItemsElsewhere[note]("note")
	_, err = c.Target(feedmill.Config{})
	require.ErrorContains(t, err, "Items")
	_, err = feedmill.TableConfig[note]{}.Target(feedmill.Config{})
	require.ErrorContains(t, err, "Projection is missing")
}
