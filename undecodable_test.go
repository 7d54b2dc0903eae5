package feedmill_test

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// nextNote is a note of a release that also writes texts in parts.
type nextNote struct {
	Text json.RawMessage
	Tag  string
}

// TestAnUndecodableUpdateLeavesTheFeed when it is parked: the text before must not stay where everybody sees it.
func TestAnUndecodableUpdateLeavesTheFeed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notes.db")
	n := openNotes(t, file)
	db, err := sql.Open("sqlite", sqlitestore.DSN(file))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	next, err := sqlitestore.NewRepository[nextNote](store, "note")
	require.NoError(t, err)
	app := newApp(t, feedmill.Config{
		Outbox: n.store.Outbox(), Relay: outbox.RelayConfig{MaxAttempts: 3, MinBackoff: time.Millisecond},
	})
	n.add(t, app)
	run(t, app)
	n.create(t, "one", "go")
	n.create(t, "two", "go")
	update := func(id, text string) {
		_, err := next.Update(t.Context(), id, func(body *nextNote) error {
			body.Text = json.RawMessage(text)
			return nil
		})
		require.NoError(t, err)
	}
	update("one", `["a text in parts"]`)
	update("two", `"another text"`) // the last message is not parked
	require.Eventually(t, func() bool {
		backlog, err := n.store.Outbox().Backlog(t.Context())
		return err == nil && backlog.Parked == 1 && backlog.Waiting == 0
	}, patience, 5*time.Millisecond)
	page, err := n.feeds.Page(t.Context(), "go", "", 0)
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	assert.Equal(t, "another text", page.Items[0].Body.Text)
	assert.Empty(t, page.Skipped)
	parked, err := n.store.Outbox().Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 1)
	assert.Contains(t, parked[0].Reason, `decode body of item "one" version 2`)
	assert.Greater(t, parked[0].Attempts, 1)
}
