package pipeline_test

import (
	"path/filepath"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/integration/internal/parts"
)

// onGoChannel is a place whose broker lives in this process, longer than the microblog. It keeps its messages, and delivers
// all of them again to every new subscriber, in any order.
func onGoChannel(t *testing.T) place {
	t.Helper()
	broker := gochannel.NewGoChannel(gochannel.Config{Persistent: true, OutputChannelBuffer: 64}, watermill.NopLogger{})
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	file := filepath.Join(t.TempDir(), "microblog.db")

	return func(t *testing.T) (app.Parts, func() error) {
		t.Helper()
		opened, closeStores := parts.OpenSQLite(t, file)
		opened.Broker = &feedmill.Broker{Publisher: broker, Work: broker, Live: broker}
		return opened, closeStores
	}
}
