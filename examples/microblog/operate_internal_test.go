package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// TestCommandsNeedTheData: a command must not create an empty microblog and find it in order.
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

// TestRebuildAndAudit runs the commands on posts whose events were not applied.
func TestRebuildAndAudit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parts, err := stack.Open(t.Context(), stack.Config{DataDir: dir}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	for i := range 12 {
		p, err := post.New("A title", fmt.Sprintf("#all and #tag%d", i%3), "Ada")
		require.NoError(t, err)
		_, err = parts.Posts.Create(t.Context(), fmt.Sprintf("post-%02d", i), p)
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
	require.Contains(t, progress.String(), "rebuild: 100 %, 12 of 12 items")
	require.Regexp(t, "^rebuilt: 12 items", output, "what can be piped on is the result alone")
	output, err = command("audit")
	require.NoError(t, err)
	require.Contains(t, output, "audited: 12 items, 5 feeds; 0 drifts, 0 repaired")

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
