package operate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestTopicsThatWait for a parked message are shown, since their order is kept, and go on when it is discarded.
func TestTopicsThatWait(t *testing.T) {
	t.Parallel()
	notes, target := openTarget(t)
	orderer, ok := target.Outbox.(outbox.Orderer)
	require.True(t, ok)
	orderer.KeepOrder("note-created")
	for _, id := range []string{"a", "b"} {
		_, err := notes.Create(t.Context(), id, note{})
		require.NoError(t, err)
	}
	publish := func(_ context.Context, batch []outbox.Message) []outbox.Result {
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Park, Reason: errors.New("too large")}}, len(batch))
	}
	taken, err := target.Outbox.Drain(t.Context(), 1, nil, publish)
	require.NoError(t, err)
	require.Equal(t, 1, taken)
	taken, err = target.Outbox.Drain(t.Context(), 1, nil, publish)
	require.NoError(t, err)
	require.Zero(t, taken)

	var results strings.Builder
	require.NoError(t, operate.Run(t.Context(), operate.Command{Name: "parked"}, target, &results, io.Discard))
	require.Contains(t, results.String(), "note-created (waits for it)")
	s := openSite(t, operate.HandlerConfig{Outbox: target.Outbox})
	_, page := s.do(http.MethodGet, "", nil, browser())
	require.Contains(t, page, "waits for it")
	parked := s.state("").Outbox.Messages
	require.True(t, parked[0].Holds)
	s.act("action", "discard", "id", parked[0].ID, "confirm", "yes")
	taken, err = target.Outbox.Drain(t.Context(), 1, nil, publish)
	require.NoError(t, err)
	require.Equal(t, 1, taken)
}
