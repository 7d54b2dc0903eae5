package ssestream_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// TestNodeReadsCompressedStreams by fetch and by zlib, each state before the next is there, until the router closes.
func TestNodeReadsCompressedStreams(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"fetch", "zlib"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			state := func() string { return fmt.Sprintf("%d %s", n.Load(), strings.Repeat("what does not change ", 500)) }
			router, err := ssestream.NewRouter(ssestream.RouterConfig{Resync: ssestream.Off}, watermill.NopLogger{})
			require.NoError(t, err)
			adapter, err := ssestream.AdapterBuilder[struct{}, string]{
				RequestKey: func(*http.Request) (string, error) { return "state", nil },
				EventKeys:  func(struct{}) []string { return []string{"state"} },
				Load:       func(context.Context, string) (string, error) { return state(), nil },
				Compress:   true,
			}.Build()
			require.NoError(t, err)
			server := httptest.NewServer(router.AddHandler("changed", adapter))
			defer server.Close()
			ended := make(chan error, 1)
			go func() { ended <- router.Run(context.Background()) }()
			<-router.Running()

			node := exec.CommandContext(t.Context(), "node", "parser/compressed.mjs", how, server.URL)
			output, err := node.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, node.Start())
			lines := bufio.NewScanner(output)
			next := func() string {
				require.True(t, lines.Scan(), "%v", lines.Err())
				return lines.Text()
			}
			assert.Equal(t, "gzip", next())
			for n.Load() < 10 {
				assert.Equal(t, fmt.Sprintf("%q", state()), next())
				n.Add(1)
				require.NoError(t, router.Publish("changed", message.NewMessage(watermill.NewUUID(), message.Payload("{}"))))
			}
			assert.Equal(t, fmt.Sprintf("%q", state()), next())
			assert.Less(t, router.Stats().Bytes, int64(2000))
			require.NoError(t, router.Close())
			require.NoError(t, <-ended)
			assert.Equal(t, map[string]string{"fetch": "end", "zlib": "Z_BUF_ERROR"}[how], next(), "the end of the stream")
			require.NoError(t, node.Wait())
		})
	}
}
