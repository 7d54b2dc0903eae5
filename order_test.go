package feedmill_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// sequence is a projection that must be given the versions of an item one after the other. It fails with some, and applies the others.
type sequence struct {
	projector.NoSweep

	t        *testing.T
	mu       sync.Mutex
	versions map[string]int64
}

func (s *sequence) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, msg := range batch {
		if rand.IntN(10) == 0 {
			errs = append(errs, &cqrsfeed.FailedError{Message: msg, Reason: errors.New("away")})
			continue
		}
		item, err := cqrsfeed.DecodeItem[note](msg)
		if err != nil {
			return nil, err
		}
		assert.LessOrEqual(s.t, item.Version, s.versions[item.ID]+1, "%s: a version is left out", item.ID)
		s.versions[item.ID] = max(s.versions[item.ID], item.Version)
	}
	return nil, errors.Join(errs...)
}

func (s *sequence) sum() (sum int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, version := range s.versions {
		sum += version
	}
	return sum
}

// TestProjectionsGetVersionsInOrder in one process, where the topics are divided into partitions.
func TestProjectionsGetVersionsInOrder(t *testing.T) {
	t.Parallel()
	const items, versions = 8, 10
	n := newNotes(t)
	store, err := sqlitestore.New(n.db, sqlitestore.Config{Topics: cqrsfeed.PartitionsOf})
	require.NoError(t, err)
	repository, err := sqlitestore.NewRepository[note](store, "note")
	require.NoError(t, err)
	for i := range items {
		id := fmt.Sprint("note-", i)
		_, err := repository.Create(t.Context(), id, note{})
		require.NoError(t, err)
		for range versions - 1 {
			_, err := repository.Update(t.Context(), id, func(n *note) error { n.Text += "."; return nil })
			require.NoError(t, err)
		}
	}
	app := newApp(t, feedmill.Config{
		Outbox: store.Outbox(), Relay: outbox.RelayConfig{MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond},
	})
	seen := &sequence{t: t, versions: map[string]int64{}}
	require.NoError(t, app.AddProjection(projector.Config{Name: "sequence", Topics: repository.Topics().All(), Projection: seen}))
	run(t, app)
	require.Eventually(t, func() bool { return seen.sum() == items*versions }, patience, 5*time.Millisecond)
}
