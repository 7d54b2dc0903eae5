package readmodel_test

import (
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
)

func openFeeds[T any](t *testing.T) *sqlitestore.FeedStore[T] {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(":memory:"))
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	database, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	store, err := sqlitestore.NewFeedStore[T](database, "item")
	require.NoError(t, err)
	require.NoError(t, database.EnsureSchema(t.Context()))
	return store
}

var errDown = errors.New("down")

// messageRecorder is a publisher that keeps what it was given.
type messageRecorder struct {
	mu    sync.Mutex
	given map[string][]*message.Message
}

func (r *messageRecorder) Publish(topic string, messages ...*message.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given == nil {
		r.given = map[string][]*message.Message{}
	}
	r.given[topic] = append(r.given[topic], messages...)
	return nil
}

func (r *messageRecorder) Close() error { return nil }

func (r *messageRecorder) on(topic string) []*message.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.given[topic]
}

// downPublisher is a publisher whose broker is away.
type downPublisher struct{ message.Publisher }

func (downPublisher) Publish(string, ...*message.Message) error { return errDown }
