package repositorytest

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// eventSize returns the size of a message that the limit applies to.
func eventSize(t *testing.T, m outbox.Message) int {
	t.Helper()
	metadata, err := json.Marshal(m.Message.Metadata)
	require.NoError(t, err)
	return len(metadata) + len(m.Message.Payload)
}

// testLargeBody has a body that fits into an event once, but not twice.
func testLargeBody(t *testing.T, f Fixture) {
	large := strings.Repeat("0123456789abcde😀", limits.DefaultEventBytes*6/10/len("0123456789abcde😀"))
	created, err := f.Repository.Create(t.Context(), "large", model.Body{Text: large})
	require.NoError(t, err)
	updated, err := f.Repository.Update(t.Context(), "large", func(body *model.Body) error {
		body.Tags = []string{"large"}
		return nil
	})
	require.NoError(t, err)
	item := f.mustGet(t, "large")
	require.True(t, model.SameText(large, item.Body.Text), "the text came back otherwise")
	f.mustUpdate(t, "large", setText("small"))

	events := outboxes.DrainAll(t, f.Outbox)
	require.Len(t, events, 3)
	for _, m := range events {
		require.LessOrEqual(t, eventSize(t, m), limits.DefaultEventBytes)
	}
	event := decodeUpdated(t, events[1])
	require.Nil(t, event.Original, "both do not fit")
	require.True(t, model.SameText(large, event.Item.Body.Text), "the event has another text")
	require.Equal(t, updated.Version, event.Item.Version)
	event = decodeUpdated(t, events[2])
	require.NotNil(t, event.Original, "both fit")
	require.True(t, model.SameText(large, event.Original.Body.Text), "the event has another original")
	require.Equal(t, created.CreatedAt, event.Item.CreatedAt)
}

func testTooLarge(t *testing.T, f Fixture) {
	item := f.mustCreate(t, "one")
	outboxes.DrainAll(t, f.Outbox)
	tooLarge := strings.Repeat("x", limits.DefaultEventBytes)
	_, err := f.Repository.Create(t.Context(), "two", model.Body{Text: tooLarge})
	require.ErrorIs(t, err, cqrsfeed.ErrTooLarge)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = f.Repository.Get(t.Context(), "two")
	require.ErrorIs(t, err, cqrsfeed.ErrNotFound)
	_, err = f.Repository.Update(t.Context(), "one", setText(tooLarge))
	require.ErrorIs(t, err, cqrsfeed.ErrTooLarge)
	f.requireUnchanged(t, item)
}

// testDeleteLargest deletes the largest item, whose tombstone would be larger than its creation.
func testDeleteLargest(t *testing.T, f Fixture) {
	f.mustCreate(t, "small")
	most := limits.DefaultEventBytes - eventSize(t, outboxes.DrainAll(t, f.Outbox)[0])
	largest := ""
	for accepted, refused := most-64, most+64; accepted+1 < refused; {
		size := (accepted + refused) / 2
		id := fmt.Sprintf("%07d", size)
		_, err := f.Repository.Create(t.Context(), id, model.Body{Text: strings.Repeat("x", size)})
		if err == nil {
			accepted, largest = size, id
		} else {
			require.ErrorIs(t, err, cqrsfeed.ErrTooLarge)
			refused = size
		}
	}
	outboxes.DrainAll(t, f.Outbox)
	deleted := f.mustDelete(t, largest)
	events := outboxes.DrainAll(t, f.Outbox)
	require.Len(t, events, 1)
	require.LessOrEqual(t, eventSize(t, events[0]), limits.DefaultEventBytes)
	tombstone, err := cqrsfeed.DecodeItem[model.Body](events[0].Message)
	require.NoError(t, err)
	require.Equal(t, deleted.Version, tombstone.Version)
	require.True(t, tombstone.Deleted)
}

func testUnencodable(t *testing.T, f Fixture) {
	item := f.mustCreate(t, "one")
	outboxes.DrainAll(t, f.Outbox)
	_, err := f.Repository.Create(t.Context(), "two", model.Body{Score: math.NaN()})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	_, err = f.Repository.Update(t.Context(), "one", func(body *model.Body) error {
		body.Score = math.Inf(1)
		return nil
	})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	f.requireUnchanged(t, item)
}

// testScanBytes scans more large items than fit into one result.
func testScanBytes(t *testing.T, f Fixture) {
	large := limits.DefaultEventBytes * 9 / 10
	most := (limits.MaxBatchBytes + large - 1) / large
	var ids []string
	for i := range most + 1 {
		id := fmt.Sprintf("%04d", i)
		ids = append(ids, id)
		_, err := f.Repository.Create(t.Context(), id, model.Body{Text: strings.Repeat("x", large)})
		require.NoError(t, err)
	}
	var seen []string
	for after := ""; ; {
		items, err := f.Repository.Scan(t.Context(), after, limits.MaxPageLimit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(items), most)
		if len(items) == 0 {
			break
		}
		for _, item := range items {
			seen = append(seen, item.ID)
		}
		after = seen[len(seen)-1]
	}
	require.Equal(t, ids, seen)
}
