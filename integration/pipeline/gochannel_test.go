package pipeline_test

import (
	"path/filepath"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/integration/internal/parts"
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
		opened, closeStores := parts.OpenSQLite(t, file)
		opened.Publisher, opened.Work, opened.Live = broker, broker, broker
		return opened, closeStores
	}
}
