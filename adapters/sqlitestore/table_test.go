package sqlitestore_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/tabletest"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func TestTableProjection(t *testing.T) {
	t.Parallel()
	withEachSettings(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		t.Helper()
		tabletest.TestProjection(t, func(t *testing.T) tabletest.Fixture {
			t.Helper()
			db := open(t)
			store := newStore(t, db)
			return tabletest.Fixture{DB: db, New: func(name string, step tabletest.Step) tabletest.Projection {
				p, err := sqlitestore.NewTableProjection(store, name, step)
				require.NoError(t, err)
				require.NoError(t, store.EnsureSchema(t.Context()))
				return p
			}}
		})
	})
}

// TestStepsBeginWithWhatWasCounted runs an instance of an older release, which does not know the votes, and one that
// counts them.
func TestStepsBeginWithWhatWasCounted(t *testing.T) {
	t.Parallel()
	type oldSong struct{ Author string }
	type song struct {
		Author string
		Votes  int
	}
	path := freshPath(t)
	oldStore, store := newStore(t, openDB(t, sqlitestore.DSN(path))), newStore(t, openDB(t, sqlitestore.DSN(path)))
	older, err := sqlitestore.NewTableProjection(oldStore, "votes",
		func(context.Context, *sql.Tx, *cqrsfeed.Item[oldSong], *cqrsfeed.Item[oldSong]) error { return nil })
	require.NoError(t, err)
	votes := 0 // of all songs
	newer, err := sqlitestore.NewTableProjection(store, "votes",
		func(_ context.Context, _ *sql.Tx, before, after *cqrsfeed.Item[song]) error {
			if before != nil {
				votes -= before.Body.Votes
			}
			if after != nil {
				votes += after.Body.Votes
			}
			return nil
		})
	require.NoError(t, err)
	songs, err := sqlitestore.NewRepository[song](store, "song")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	apply := func(p projector.Projection, item cqrsfeed.Item[song]) {
		event, err := cqrsfeed.ItemUpdated[song]{Item: item}.Message()
		require.NoError(t, err)
		_, err = p.Apply(t.Context(), []*message.Message{event})
		require.NoError(t, err)
	}
	for _, id := range []string{"s1", "s2"} {
		item, err := songs.Create(t.Context(), id, song{"ann", 5})
		require.NoError(t, err)
		apply(older, item)
	}
	item, err := songs.Update(t.Context(), "s1", func(s *song) error { s.Votes = 7; return nil })
	require.NoError(t, err)
	apply(newer, item)
	require.Equal(t, 7, votes, "5 were never counted")

	config := readmodel.AuditConfig[song]{Source: songs, Store: newer.Model(), Repair: true, RecheckDelay: time.Millisecond}
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(1), summary.Repaired, "the votes of s2")
	require.Equal(t, 12, votes)
	summary, err = readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Zero(t, summary.Drifts)

	oldSongs, err := sqlitestore.NewRepository[oldSong](oldStore, "song")
	require.NoError(t, err)
	oldSummary, err := readmodel.Audit(t.Context(), readmodel.AuditConfig[oldSong]{Source: oldSongs, Store: older.Model(), RecheckDelay: time.Millisecond})
	require.NoError(t, err)
	require.Zero(t, oldSummary.Drifts, "what the older release does not know is not compared")
}

// votesOf and starsOf are what releases know of the counts of a song.
type (
	songOf[C any] struct {
		Counts C `json:"counts"`
	}
	votesOf struct {
		Votes int `json:"votes,omitempty"`
	}
	starsOf struct {
		votesOf

		Stars int `json:"stars,omitempty"`
	}
)

// TestReleasesTakeTurns at the events of an item. The older one does not know the stars.
func TestReleasesTakeTurns(t *testing.T) {
	t.Parallel()
	path := freshPath(t)
	oldStore, store := newStore(t, openDB(t, sqlitestore.DSN(path))), newStore(t, openDB(t, sqlitestore.DSN(path)))
	votes, stars := 0, 0
	older, err := sqlitestore.NewTableProjection(oldStore, "songs", func(_ context.Context, _ *sql.Tx, before, after *cqrsfeed.Item[songOf[votesOf]]) error {
		if before != nil {
			votes -= before.Body.Counts.Votes
		}
		if after != nil {
			votes += after.Body.Counts.Votes
		}
		return nil
	})
	require.NoError(t, err)
	newer, err := sqlitestore.NewTableProjection(store, "songs", func(_ context.Context, _ *sql.Tx, before, after *cqrsfeed.Item[songOf[starsOf]]) error {
		if before != nil {
			votes, stars = votes-before.Body.Counts.Votes, stars-before.Body.Counts.Stars
		}
		if after != nil {
			votes, stars = votes+after.Body.Counts.Votes, stars+after.Body.Counts.Stars
		}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	for i, turn := range []struct {
		by          projector.Projection
		counts      starsOf
		wantedStars int
	}{
		{older, starsOf{votesOf{1}, 5}, 0},
		{newer, starsOf{votesOf{1}, 6}, 6},
		{older, starsOf{votesOf{3}, 7}, 6},
		{older, starsOf{votesOf{4}, 0}, 6},
		{newer, starsOf{votesOf{4}, 8}, 8},
		{older, starsOf{votesOf{0}, 8}, 8},
		{newer, starsOf{votesOf{2}, 0}, 0},
	} {
		item := cqrsfeed.Item[songOf[starsOf]]{ID: "s", Version: int64(i + 1), Body: songOf[starsOf]{turn.counts}, CreatedAt: time.Unix(1, 0), UpdatedAt: time.Unix(1, 0)}
		event, err := cqrsfeed.ItemUpdated[songOf[starsOf]]{Item: item}.Message()
		require.NoError(t, err)
		_, err = turn.by.Apply(t.Context(), []*message.Message{event})
		require.NoError(t, err)
		require.Equal(t, turn.counts.Votes, votes, "version %d", item.Version)
		require.Equal(t, turn.wantedStars, stars, "version %d", item.Version)
	}
}
