package mysqlstore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestAStrandedBatchIsGivenBack: the network forgets the connection by which a relay has locked its batch, and nobody
// tells the server. The session's wait_timeout ends it there, and the next relay has the batch.
func TestAStrandedBatchIsGivenBack(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		direct, queue := openRepository(t, openDB(t, dsn))
		_, err := direct.Create(t.Context(), "one", cqrsfeedtest.Body{})
		require.NoError(t, err)
		config, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		proxy, err := ssestreamtest.StartProxy("tcp://" + config.Addr)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, proxy.Close()) })
		_, stranded := openRepository(t, openDB(t, withSettings(t, dsn, func(c *mysql.Config) {
			c.Addr = proxy.URL()[len("tcp://"):]
			c.Params = map[string]string{"wait_timeout": "2"}
		})))

		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err = stranded.Drain(ctx, 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
			proxy.Strand()
			assert.Zero(t, outboxLength(t, queue), "it is locked")
			return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
		})
		require.Error(t, err)
		require.Eventually(t, func() bool { return outboxLength(t, queue) == 1 }, time.Minute, 50*time.Millisecond, "it stays locked")
	})
}
