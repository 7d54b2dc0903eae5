package sqlitestore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// TestAFileOfTheFirstVersionIsUpgraded in place. Its content stays.
func TestAFileOfTheFirstVersionIsUpgraded(t *testing.T) {
	t.Parallel()
	db := openFile(t)
	for _, statement := range []string{
		`CREATE TABLE "outbox" (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	uuid TEXT NOT NULL,
	topic TEXT NOT NULL,
	metadata TEXT NOT NULL,
	payload BLOB NOT NULL,
	created_at INTEGER NOT NULL
)`, `CREATE TABLE "item" (
	id TEXT NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	body TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	deleted INTEGER NOT NULL
)`,
		`INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES ('1', 't', '{"name":"x"}', x'7b7d', 1000000), ('2', 't', '{}', x'', 2000000)`,
		`INSERT INTO item VALUES ('old', 3, '{"text":"old"}', 1, 2, 0)`,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	repository, queue := openRepository(t, db)
	item, err := repository.Get(t.Context(), "old")
	require.NoError(t, err)
	assert.Equal(t, int64(3), item.Version)
	backlog, err := queue.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(2), backlog.Waiting)
	assert.Equal(t, int64(1), backlog.Oldest.Unix())
	_, err = queue.Drain(t.Context(), 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, "x", batch[0].Message.Metadata.Get("name"))
		return []outbox.Result{{Outcome: outbox.Park, Reason: errors.New("no")}, {Outcome: outbox.Published}}
	})
	require.NoError(t, err)
	parked, err := queue.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 1)
	assert.Equal(t, "{}", string(parked[0].Message.Payload))
}
