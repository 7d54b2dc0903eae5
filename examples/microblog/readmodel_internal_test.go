package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// TestCommandsNeedTheData of a microblog, instead of finding an empty folder in order.
func TestCommandsNeedTheData(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rebuild", "audit", "parked", "unpark", "discard"} {
		args := []string{name, "-data-dir", filepath.Join(t.TempDir(), "nowhere")}
		switch name {
		case "unpark":
			args = append(args, "-all")
		case "discard":
			args = append(args, "1")
		}
		err := run(t.Context(), args, environment(nil), io.Discard, io.Discard)
		require.ErrorIs(t, err, stack.ErrNoData, name)
		require.ErrorContains(t, err, "nowhere")
		require.NoDirExists(t, args[2])
		args[2] = t.TempDir()
		require.ErrorIs(t, run(t.Context(), args, environment(nil), io.Discard, io.Discard), stack.ErrNoData, "an empty folder")
		require.Equal(t, map[bool]int{true: 2, false: 1}[name == "audit"], exitCode(args, err))
	}
}

// TestRebuildAndAudit runs the commands as they are typed, on posts whose events nobody has applied.
func TestRebuildAndAudit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parts, err := stack.Open(t.Context(), stack.Config{DataDir: dir}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	for i := range 12 {
		p, err := post.New("A title", fmt.Sprintf("#all and #tag%d", i%3), "Ada")
		require.NoError(t, err)
		_, err = parts.Parts.Posts.Create(t.Context(), fmt.Sprintf("post-%02d", i), p)
		require.NoError(t, err)
	}
	var progress bytes.Buffer
	command := func(args ...string) (results string, err error) {
		var output bytes.Buffer
		err = run(t.Context(), append(args, "-data-dir", dir, "-log-level", "error"), environment(nil), &output, &progress)
		return output.String(), err
	}
	for _, name := range []string{"rebuild", "audit"} {
		_, err = command(name)
		require.ErrorIs(t, err, stack.ErrInUse)
		require.ErrorContains(t, err, dir)
		require.ErrorContains(t, err, "stop the microblog")
	}
	require.NoError(t, parts.Close())

	output, err := command("audit")
	require.ErrorContains(t, err, "12 places", "every post is missing")
	require.Contains(t, output, `version of item "post-00": want version 1, got nothing`)

	output, err = command("rebuild", "-after", "")
	require.NoError(t, err)
	require.Contains(t, progress.String(), "rebuild: 100 %, 12 of 12 posts")
	require.Regexp(t, "^rebuilt: 12 posts", output, "what can be piped on is the result alone")
	output, err = command("audit")
	require.NoError(t, err)
	require.Contains(t, output, "audited: 12 posts, 4 feeds; 0 drifts, 0 repaired")

	breakFeed(t, filepath.Join(dir, "microblog.db"))
	_, err = command("audit")
	require.ErrorContains(t, err, "differ")
	require.Equal(t, 1, exitCode([]string{"audit"}, err))
	output, err = command("audit", "-repair")
	require.NoError(t, err)
	require.Contains(t, output, "(repaired)")
	_, err = command("audit")
	require.NoError(t, err)
}

func breakFeed(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(file))
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "DELETE FROM post_feed_entries WHERE feed = 'all' AND item = 'post-03'")
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestProgressBar(t *testing.T) {
	t.Parallel()
	began := time.Unix(1, 0)
	at := func(items int64) readmodel.RebuildSummary { return readmodel.RebuildSummary{Items: items} }
	show := func(terminal bool) string {
		var output bytes.Buffer
		bar := newProgressBar(&output, 2000, began)
		bar.terminal = terminal
		bar.show(at(500), began.Add(5*time.Second))
		bar.show(at(600), began.Add(5*time.Second+time.Millisecond)) // too soon
		bar.show(at(1000), began.Add(10*time.Second))
		bar.show(at(2100), began.Add(21*time.Second-time.Second/2))
		bar.end()
		return output.String()
	}
	require.Equal(t, "rebuild:  25 %, 500 of 2000 posts, 100 a second, 15s left\n"+
		"rebuild:  50 %, 1000 of 2000 posts, 100 a second, 10s left\n"+
		"rebuild: 100 %, 2100 of 2000 posts, 102 a second\n", show(false))
	require.Equal(t, "\r[#######.......................]  25 %, 500 of 2000 posts, 100 a second, 15s left\x1b[K"+
		"\r[###############...............]  50 %, 1000 of 2000 posts, 100 a second, 10s left\x1b[K"+
		"\r[##############################] 100 %, 2100 of 2000 posts, 102 a second\x1b[K\n", show(true))

	var counting bytes.Buffer
	shown := newProgressBar(&counting, 20, began)
	for i, s := range []readmodel.RebuildSummary{
		{Items: 10}, {Items: 20}, {Items: 20, Recounted: 2}, {Items: 20, Recounted: 3},
	} {
		shown.show(s, began.Add(time.Second+time.Duration(i)))
	}
	shown.end()
	require.Equal(t, "rebuild:  50 %, 10 of 20 posts, 10 a second, 1s left\n"+
		"rebuild: 100 %, 20 of 20 posts, 20 a second\n"+
		"rebuild: 20 posts, 2 feeds counted\n"+
		"rebuild: 20 posts, 3 feeds counted\n", counting.String(), "it does not stand still at 100 %")

	var output bytes.Buffer
	bar := newProgressBar(&output, 0, began)
	bar.show(at(7), began.Add(7*time.Second))
	bar.end()
	require.Equal(t, "rebuild: 7 posts, 1 a second\n", output.String(), "without a total")
	nothing := newProgressBar(&output, 0, began)
	nothing.end()
	require.Equal(t, "rebuild: 7 posts, 1 a second\n", output.String())
}
