package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// TestParked runs the commands on events that were refused.
func TestParked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command := func(args ...string) (string, error) {
		var output bytes.Buffer
		args = append([]string{args[0], "-data-dir", dir, "-log-level", "error"}, args[1:]...)
		err := run(t.Context(), args, environment(nil), &output, io.Discard)
		return output.String(), err
	}
	lines := func() [][]string {
		output, err := command("parked")
		require.NoError(t, err)
		var found [][]string
		for line := range strings.Lines(output) {
			found = append(found, strings.Fields(line))
		}
		return found
	}
	parts, err := stack.Open(t.Context(), stack.Config{DataDir: dir}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	const events = 105 // more than are read at once
	uuids := park(t, parts.Parts, events)
	for _, args := range [][]string{{"parked"}, {"unpark", "-all"}, {"discard", "1"}} {
		_, err := command(args...)
		require.ErrorIs(t, err, stack.ErrInUse)
		require.ErrorContains(t, err, "stop the microblog")
	}
	require.NoError(t, parts.Close())

	listed := lines()
	require.Len(t, listed, 1+events)
	require.Equal(t, []string{"ID", "TOPIC", "UUID", "SET", "ASIDE", "AT", "REASON"}, listed[0])
	ids := make([]string, 0, events)
	for i, line := range listed[1:] {
		require.Equal(t, []string{cqrsfeed.TopicsOf(api.Kind).Created, uuids[i]}, line[1:3])
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, line[3])
		require.Equal(t, "larger than the broker takes", strings.Join(line[4:], " "), "on one line")
		ids = append(ids, line[0])
	}

	output, err := command("discard", ids[0], ids[1])
	require.NoError(t, err)
	require.Equal(t, "2 of 2 messages discarded\n", output)
	output, err = command("unpark", ids[1], ids[2])
	require.ErrorContains(t, err, ids[1]+": not parked")
	require.Equal(t, "1 of 2 messages returned to the outbox\n", output, "and the other one is")
	require.Len(t, lines(), 1+events-3)
	output, err = command("unpark", "-all")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%[1]d of %[1]d messages returned to the outbox\n", events-3), output)
	require.Equal(t, [][]string{{"nothing", "was", "set", "aside"}}, lines())
	_, err = command("discard", "nonsense")
	require.Error(t, err)

	parts, err = stack.Open(t.Context(), stack.Config{DataDir: dir}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, uuids[2:], drain(t, parts.Outbox, events, outbox.Result{Outcome: outbox.Published}), "what was not given up, in its old order")
	require.NoError(t, parts.Close())
}

// park creates posts, parks their events, and returns the UUIDs of the events.
func park(t *testing.T, parts app.Parts, events int) []string {
	t.Helper()
	for i := range events {
		p, err := post.New("A title", "#all", "Ada")
		require.NoError(t, err)
		_, err = parts.Posts.Create(t.Context(), fmt.Sprintf("post-%03d", i), p)
		require.NoError(t, err)
	}
	return drain(t, parts.Outbox, events, outbox.Result{
		Outcome: outbox.Park, Reason: errors.New("larger than\nthe broker takes"), Attempts: 1,
	})
}

// drain drains events with the same result for each, and returns their UUIDs.
func drain(t *testing.T, queue outbox.Outbox, events int, result outbox.Result) (uuids []string) {
	t.Helper()
	taken, err := queue.Drain(t.Context(), events, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		for _, m := range batch {
			uuids = append(uuids, m.Message.UUID)
		}
		return slices.Repeat([]outbox.Result{result}, len(batch))
	})
	require.NoError(t, err)
	require.Equal(t, len(uuids), taken)
	return uuids
}
