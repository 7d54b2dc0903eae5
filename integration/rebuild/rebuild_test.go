package rebuild_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // a driver of fill
	_ "github.com/jackc/pgx/v5/stdlib" // another one
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

const (
	// posts are more than a rebuild applies at once, so that some are left when it is killed.
	posts   = 10_000
	orphans = 30
	// killedAfter is how many posts the feeds have before the rebuild is killed.
	killedAfter = 1000
)

// TestRebuildIsKilled kills a rebuild of many posts half-way and runs it again, while a microblog serves from the same
// servers and posts are written. In the end the feeds are a fold of the write model.
func TestRebuildIsKilled(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for name, on := range map[string]stack.Config{
		"MySQL, MongoDB and NATS": {MySQLDSN: servers.MySQL(t), MongoURI: servers.Mongo(t), NATSURL: servers.NATS(t)},
		"PostgreSQL":              {PostgresDSN: servers.Postgres(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testRebuildIsKilled(t, binary, on)
		})
	}
}

func testRebuildIsKilled(t *testing.T, binary string, on stack.Config) {
	t.Helper()
	opened, err := stack.Open(t.Context(), on, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, opened.Close()) }()
	fill(t, on)
	plantOrphans(t, opened.Feeds)
	serve(t, binary, on)
	stopWriting := write(t, opened.Posts)

	killed := command(t.Context(), binary, on, "rebuild")
	require.NoError(t, killed.Start())
	require.Eventually(t, func() bool { return storesMore(t, opened.Feeds, killedAfter) }, patience, 2*time.Millisecond,
		"it does not get so far: %s", killed.output)
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	status, ok := killed.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.Equal(t, syscall.SIGKILL, status.Signal(), "it had ended: %s", killed.output)
	again := command(t.Context(), binary, on, "rebuild")
	require.NoError(t, again.Run(), "%s", again.output)
	t.Log(again.output)
	require.Regexp(t, `rebuilt: \d{5,} items`, again.output.String())
	stopWriting()

	want := fold(t, opened.Posts, post.FeedsOf)
	differ := []string{"not compared yet"}
	for deadline := time.Now().Add(patience); len(differ) > 0 && time.Now().Before(deadline); {
		differ = differences(want, shown(t, opened.Feeds))
		if told := counted(t, opened.Feeds); !maps.Equal(counts(want), told) {
			differ = append(differ, fmt.Sprintf("counts: %v", told))
		}
	}
	require.Empty(t, differ, "the feeds differ from the posts")
	audit := command(t.Context(), binary, on, "audit")
	require.NoError(t, audit.Run(), "%s", audit.output)
	require.Contains(t, audit.output.String(), " 0 drifts")
}

// fill puts posts into the write model without events.
func fill(t *testing.T, on stack.Config) {
	t.Helper()
	driver, dsn, row := "mysql", on.MySQLDSN, func(int) string { return "(?, ?, ?, ?, ?, ?)" }
	if on.PostgresDSN != "" {
		driver, dsn = "pgx", on.PostgresDSN
		row = func(n int) string { return fmt.Sprintf("($%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6) }
	}
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	const atOnce = 500
	for first := 0; first < posts; first += atOnce {
		var args []any
		var rows []string
		for i := first; i < first+atOnce; i++ {
			p, err := post.New("A title", fmt.Sprintf("#all and #tag%d", i%50), "Ada")
			require.NoError(t, err)
			body, err := json.Marshal(p)
			require.NoError(t, err)
			rows = append(rows, row(len(args)))
			args = append(args, id(i), 1, string(body), 1_700_000_000_000_000+i, 1_700_000_000_000_000+i, i%10 == 9)
		}
		query := "INSERT INTO post (id, version, body, created_at, updated_at, deleted) VALUES " + strings.Join(rows, ", ")
		_, err := db.ExecContext(t.Context(), query, args...)
		require.NoError(t, err)
	}
}

func id(i int) string { return fmt.Sprintf("post-%05d", i) }

// plantOrphans puts posts into the feeds that the write model does not have.
func plantOrphans(t *testing.T, feeds cqrsfeed.FeedStore[post.Post]) {
	t.Helper()
	var changes []cqrsfeed.FeedChange[post.Post]
	for i := range orphans {
		changes = append(changes, cqrsfeed.FeedChange[post.Post]{
			Item: cqrsfeed.Item[post.Post]{
				ID: fmt.Sprintf("%s-unknown", id(i*posts/orphans)), Version: 3, CreatedAt: time.UnixMicro(int64(i + 1)).UTC(),
			},
			Feeds: []string{"all", "unknown"},
		})
	}
	_, err := feeds.Apply(t.Context(), changes)
	require.NoError(t, err)
}

// write creates, changes and deletes posts in the whole range of ids until it is stopped.
func write(t *testing.T, repository cqrsfeed.Repository[post.Post]) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			assert.NoError(t, writeOne(context.WithoutCancel(ctx), repository, i))
		}
	})
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); writer.Wait() }) }
	t.Cleanup(stop)
	return stop
}

func writeOne(ctx context.Context, repository cqrsfeed.Repository[post.Post], i int) error {
	target := id(i * 7919 % posts)
	content := fmt.Sprintf("#all and #live%d", i%7)
	var err error
	switch i % 10 {
	case 0:
		p, invalid := post.New("New", content, "Ada")
		if invalid != nil {
			return invalid
		}
		_, err = repository.Create(ctx, fmt.Sprintf("%s-%d", target, i), p)
	case 5:
		_, err = repository.Delete(ctx, target)
	default:
		_, err = repository.Update(ctx, target, func(p *post.Post) (err error) {
			*p, err = p.Edited(nil, &content)
			return err
		})
	}
	if errors.Is(err, cqrsfeed.ErrNotFound) {
		return nil // it was deleted before
	}
	return err
}

// storesMore reports whether a store has more items than n.
func storesMore(t *testing.T, store readmodel.Inspector, n int) bool {
	t.Helper()
	found := 0
	for after := ""; found <= n; {
		ids, err := store.StoredIDs(t.Context(), after, limits.MaxPageLimit)
		require.NoError(t, err)
		if len(ids) == 0 {
			return false
		}
		found, after = found+len(ids), ids[len(ids)-1]
	}
	return true
}

// versions are the versions of the posts in each feed.
type versions map[string]map[string]int64

func fold(t *testing.T, repository cqrsfeed.Repository[post.Post], of func(cqrsfeed.Item[post.Post]) []string) versions {
	t.Helper()
	feeds := make(versions)
	for after := ""; ; {
		items, err := repository.Scan(t.Context(), after, limits.MaxPageLimit)
		require.NoError(t, err)
		if len(items) == 0 {
			return feeds
		}
		for _, item := range items {
			after = item.ID
			if item.Deleted {
				continue
			}
			for _, feed := range of(item) {
				if feeds[feed] == nil {
					feeds[feed] = make(map[string]int64)
				}
				feeds[feed][item.ID] = item.Version
			}
		}
	}
}

// differences returns the first few differences.
func differences(want, got versions) []string {
	const most = 5
	var found []string
	for _, pair := range []struct {
		of, than versions
		text     string
	}{{want, got, "missing"}, {got, want, "too much"}} {
		for feed, items := range pair.of {
			for id, version := range items {
				if pair.than[feed][id] != version && len(found) < most {
					found = append(found, fmt.Sprintf("%s: version %d of %s in feed %q", pair.text, version, id, feed))
				}
			}
		}
	}
	return found
}

func counts(feeds versions) map[string]int64 {
	sizes := make(map[string]int64, len(feeds))
	for feed, items := range feeds {
		sizes[feed] = int64(len(items))
	}
	return sizes
}

func counted(t *testing.T, store cqrsfeed.FeedStore[post.Post]) map[string]int64 {
	t.Helper()
	feeds, err := store.Feeds(t.Context(), "", limits.MaxPageLimit)
	require.NoError(t, err)
	sizes := make(map[string]int64, len(feeds))
	for _, feed := range feeds {
		sizes[feed.Name] = feed.Count
	}
	return sizes
}

func shown(t *testing.T, store cqrsfeed.FeedStore[post.Post]) versions {
	t.Helper()
	feeds := make(versions)
	for feed := range counted(t, store) {
		feeds[feed] = make(map[string]int64)
		for cursor, more := "", true; more; more = cursor != "" {
			page, err := store.Page(t.Context(), feed, cursor, limits.MaxPageLimit)
			require.NoError(t, err)
			for _, item := range page.Items {
				require.NotContains(t, feeds[feed], item.ID, "twice in feed %q", feed)
				feeds[feed][item.ID] = item.Version
			}
			cursor = page.Next
		}
	}
	return feeds
}
