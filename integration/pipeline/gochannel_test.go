package pipeline_test

import (
	"path/filepath"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
)

// onGoChannel is a place whose broker lives in this process, longer than the microblog on it. It keeps its
// messages for subscribers to come, and hands everything out again to each of them, in no order.
func onGoChannel(t *testing.T) place {
	t.Helper()
	broker := gochannel.NewGoChannel(gochannel.Config{Persistent: true, OutputChannelBuffer: 64}, watermill.NopLogger{})
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	file := filepath.Join(t.TempDir(), "microblog.db")

	return func(t *testing.T) (app.Parts, func() error) {
		t.Helper()
		parts, closeStores := openSQLite(t, file)
		parts.Publisher, parts.Work, parts.Live = broker, broker, broker
		return parts, closeStores
	}
}
