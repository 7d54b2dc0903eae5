package operate_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func parse(args ...string) (operate.Command, error) {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	command := operate.Command{Name: args[0]}
	err := command.Parse(flags, args[1:])
	return command, err
}

func TestCommandsAreParsed(t *testing.T) {
	t.Parallel()
	for _, want := range []struct {
		args    string
		command operate.Command
	}{
		{"rebuild", operate.Command{Name: "rebuild"}},
		{"rebuild -after n1", operate.Command{Name: "rebuild", After: "n1"}},
		{"rebuild -clear", operate.Command{Name: "rebuild", Clear: true}},
		{"audit -repair", operate.Command{Name: "audit", Repair: true}},
		{"parked", operate.Command{Name: "parked"}},
		{"unpark -all", operate.Command{Name: "unpark", All: true, IDs: []string{}}},
		{"unpark 1 2", operate.Command{Name: "unpark", IDs: []string{"1", "2"}}},
		{"replay -all", operate.Command{Name: "replay", All: true, IDs: []string{}}},
		{"remove 1", operate.Command{Name: "remove", IDs: []string{"1"}}},
		{"discard 1", operate.Command{Name: "discard", IDs: []string{"1"}}},
		{"serve", operate.Command{Name: "serve"}},
	} {
		got, err := parse(strings.Fields(want.args)...)
		require.NoError(t, err, want.args)
		assert.Equal(t, want.command, got)
	}
	for args, says := range map[string]string{
		"rebuild n1":               `unexpected argument "n1"`,
		"rebuild -clear -after n1": "-after and -clear",
		"serve now":                `unexpected argument "now"`,
		"parked -all":              "-all",
		"discard -all":             "-all",
		"discard":                  "by the IDs that parked lists",
		"unpark":                   "by the IDs that parked lists, or use -all",
		"unpark -all 1":            "by the IDs that parked lists, or use -all",
		"backlog 1":                `unexpected argument "1"`,
		"purge":                    "longer than any message can be late",
		"replay":                   "by the IDs that poison lists, or use -all",
		"remove":                   "by the IDs that poison lists",
		"remove -all":              "-all",
		"discard 1 -verbose":       "-verbose follows an ID",
	} {
		_, err := parse(strings.Fields(args)...)
		require.ErrorContains(t, err, says, args)
	}
}

// TestRebuildNamesWhatItLeavesOut: an item that can be in no feed does not stop the others.
func TestRebuildNamesWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	notes, target := openTarget(t)
	for _, id := range []string{"a", "b", "c"} {
		_, err := notes.Create(t.Context(), id, note{Tag: id})
		require.NoError(t, err)
	}
	target.FeedsOf = func(n cqrsfeed.Item[note]) []string {
		if n.ID == "b" {
			return []string{"no\nname"}
		}
		return tagsOf(n)
	}
	var results, progress strings.Builder
	require.NoError(t, operate.Run(t.Context(), operate.Command{Name: "rebuild"}, target, &results, &progress))
	require.Contains(t, results.String(), `withheld item "b", version 1: `)
	require.Regexp(t, "(?m)^rebuilt: 3 items read in .*; 1 item withheld$", results.String())
	require.Contains(t, results.String(), "a new rule of feeds needs a higher RuleVersion")
	require.Contains(t, progress.String(), "3 of 3 items", "the repository tells how many there are")
}

func TestParkedMessages(t *testing.T) {
	t.Parallel()
	notes, target := openTarget(t)
	run := func(args ...string) (string, error) {
		command, err := parse(args...)
		require.NoError(t, err)
		var results strings.Builder
		err = operate.Run(t.Context(), command, target, &results, io.Discard)
		return results.String(), err
	}
	const messages = 105 // more than are read at once
	for i := range messages {
		_, err := notes.Create(t.Context(), fmt.Sprintf("n%03d", i), note{})
		require.NoError(t, err)
	}
	_, err := target.Outbox.Drain(t.Context(), messages, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		results := make([]outbox.Result, len(batch))
		for i := range results {
			results[i] = outbox.Result{Outcome: outbox.Park, Reason: errors.New("too\nlarge"), Attempts: 1}
		}
		return results
	})
	require.NoError(t, err)
	list, err := run("backlog")
	require.NoError(t, err)
	require.Equal(t, "0 messages wait in the outbox, 105 are parked\n", list)
	list, err = run("parked")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(list), "\n")
	require.Len(t, lines, 1+messages)
	first := strings.Fields(lines[1])
	require.Equal(t, "note-created", first[1])
	require.Equal(t, []string{"too", "large"}, first[4:], "on one line")

	results, err := run("unpark", first[0])
	require.NoError(t, err)
	require.Equal(t, "1 of 1 message returned to the outbox\n", results)
	results, err = run("discard", first[0], strings.Fields(lines[2])[0])
	require.ErrorIs(t, err, operate.ErrNotParked)
	require.ErrorContains(t, err, first[0]+": not parked", "it is named")
	require.Equal(t, "1 of 2 messages discarded\n", results, "the other one is")
	results, err = run("unpark", "-all")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%[1]d of %[1]d messages returned to the outbox\n", messages-2), results)

	_, err = run("fly")
	require.ErrorContains(t, err, `unknown command "fly"`)
	target.Outbox = nil
	_, err = run("parked")
	require.ErrorContains(t, err, "no outbox is configured")
}

func TestCommandPurges(t *testing.T) {
	t.Parallel()
	notes, target := openTarget(t)
	for _, id := range []string{"a", "b", "c"} {
		_, err := notes.Create(t.Context(), id, note{Tag: "go"})
		require.NoError(t, err)
	}
	rebuild := func() {
		require.NoError(t, operate.Run(t.Context(), operate.Command{Name: "rebuild"}, target, io.Discard, io.Discard))
	}
	rebuild()
	for _, id := range []string{"a", "b"} {
		_, err := notes.Delete(t.Context(), id)
		require.NoError(t, err)
	}
	purge := func() string {
		var results strings.Builder
		require.NoError(t, operate.Run(t.Context(), operate.Command{Name: "purge", OlderThan: 1}, target, &results, io.Discard))
		_, done, _ := strings.Cut(results.String(), ": ")
		return done
	}
	require.Equal(t, "0 tombstones, 0 empty feeds\n2 tombstones left, because a read model has another version: audit it\n", purge())
	rebuild()
	require.Equal(t, "2 tombstones, 0 empty feeds\n", purge())
	_, err := notes.Create(t.Context(), "a", note{})
	require.NoError(t, err, "its id is free")

	target.Source = struct{ readmodel.Source[note] }{notes}
	err = operate.Run(t.Context(), operate.Command{Name: "purge", OlderThan: 1}, target, io.Discard, io.Discard)
	require.ErrorContains(t, err, "must be a readmodel.TombstoneSource")
}

// waitingAt is a subscriber with a backlog.
type waitingAt struct {
	handSubscriber
	backlogs map[string]projector.Backlog
}

func (w waitingAt) Backlog(_ context.Context, topic string) (projector.Backlog, error) {
	backlog, ok := w.backlogs[topic]
	if !ok {
		return backlog, errors.New("the consumer is not found")
	}
	return backlog, nil
}

func TestCommandTellsWhatWaitsAtTheBroker(t *testing.T) {
	t.Parallel()
	_, target := openTarget(t)
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	target.AtBroker = []operate.AtBroker{{
		Projection: "note-feeds", Topics: []string{"note-created", "note-deleted", "note-unread"},
		Subscriber: waitingAt{backlogs: map[string]projector.Backlog{"note-created": {Messages: 3, Oldest: since}, "note-deleted": {}}},
	}}
	var results strings.Builder
	err := operate.Run(t.Context(), operate.Command{Name: "backlog"}, target, &results, io.Discard)
	require.ErrorContains(t, err, `projection "note-feeds": the consumer is not found`)
	require.Equal(t, `0 messages wait in the outbox, 0 are parked
PROJECTION  TOPIC         WAITING  OLDEST
note-feeds  note-created  3        2026-01-02T03:04:05Z
note-feeds  note-deleted  0        
`, results.String())
}

// largeOutbox has a backlog that nobody counts.
type largeOutbox struct{ outbox.Outbox }

func (largeOutbox) Backlog(context.Context) (outbox.Backlog, error) {
	oldest := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return outbox.Backlog{
		Waiting: outbox.MaxCounted, Oldest: oldest, Parked: outbox.MaxCounted,
		Topics: []outbox.TopicBacklog{{Topic: "note-created", Waiting: outbox.MaxCounted, Oldest: oldest}},
	}, nil
}

// Discard discards the first message, and then the server dies.
func (largeOutbox) Discard(_ context.Context, ids ...string) ([]string, error) {
	return ids[:1], errors.New("the server is away")
}

func TestALargeBacklogIsNotTakenForACount(t *testing.T) {
	t.Parallel()
	_, target := openTarget(t)
	large := largeOutbox{target.Outbox}
	target.Outbox = large
	var results strings.Builder
	require.NoError(t, operate.Run(t.Context(), operate.Command{Name: "backlog"}, target, &results, io.Discard))
	require.Equal(t, `by topic, only the oldest 10000 are counted:
TOPIC         WAITING  OLDEST
note-created  10000    2026-01-02T03:04:05Z
10000 or more messages wait in the outbox, 10000 or more are parked
`, results.String())
	s := openSite(t, operate.HandlerConfig{Outbox: large})
	require.EqualValues(t, outbox.MaxCounted, s.state("").Outbox.Waiting)
	_, page := s.do(http.MethodGet, "", nil, browser())
	require.Contains(t, page, "10000 or more waiting")
	require.Contains(t, page, "10000 or more parked")
	require.Contains(t, page, "by topic, only the oldest 10000 are counted:")
}

func TestAnActionThatFailsTellsWhatItDid(t *testing.T) {
	t.Parallel()
	_, target := openTarget(t)
	s := openSite(t, operate.HandlerConfig{Outbox: largeOutbox{target.Outbox}})
	require.Contains(t, s.refused(http.StatusInternalServerError, "action", "discard", "id", "1", "id", "2", "confirm", "yes"),
		"1 of 2 messages discarded; the server is away")
}

func openTarget(t *testing.T) (cqrsfeed.Repository[note], operate.Target[note]) {
	t.Helper()
	db := openExample()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	notes, err := sqlitestore.NewRepository[note](store, "note")
	require.NoError(t, err)
	feeds, err := sqlitestore.NewFeedStore[note](store, "note")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return notes, operate.Target[note]{Source: notes, Store: feeds, FeedsOf: tagsOf, Outbox: store.Outbox()}
}
