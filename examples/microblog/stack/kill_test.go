package stack_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// patience is less than the broker's usual wait for an acknowledgement, 30 seconds.
const patience = 20 * time.Second

// TestWhatWasInFlightAtAKill opens the data of a process that was killed while it worked on a message. The copy is made when
// the broker has stored that the message was delivered, so it waits for an acknowledgement that cannot come.
func TestWhatWasInFlightAtAKill(t *testing.T) {
	t.Parallel()
	dir, left := t.TempDir(), t.TempDir()
	opened, err := stack.Open(t.Context(), stack.Config{DataDir: dir}, discard())
	require.NoError(t, err)
	topic := app.Topics().Created
	msgs, err := opened.Parts.Work.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	before, ok := consumerState(dir)
	require.True(t, ok)
	require.NoError(t, opened.Parts.Publisher.Publish(topic, message.NewMessage(watermill.NewUUID(), []byte("work"))))
	receive(t, msgs)
	require.Eventually(t, func() bool {
		now, ok := consumerState(dir)
		return ok && now != before
	}, patience, 10*time.Millisecond)
	require.NoError(t, os.CopyFS(left, os.DirFS(dir)))
	require.NoError(t, opened.Close())

	opened, err = stack.Open(t.Context(), stack.Config{DataDir: left}, discard())
	require.NoError(t, err)
	msgs, err = opened.Parts.Work.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	require.Equal(t, "work", string(receive(t, msgs).Payload))
	require.NoError(t, opened.Close())
}

// consumerState returns what the embedded broker has stored about the consumers of the stream, if it can be read now.
func consumerState(dir string) (state string, ok bool) {
	files, err := filepath.Glob(filepath.Join(dir, "nats", "jetstream", "*", "streams", "microblog", "obs", "*", "o.dat"))
	for _, file := range files {
		content, readErr := os.ReadFile(file)
		state, err = state+string(content), errors.Join(err, readErr)
	}
	return state, err == nil
}

func receive(t *testing.T, msgs <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg := <-msgs:
		return msg
	case <-time.After(patience):
		require.Fail(t, "no message came")
		return nil
	}
}
