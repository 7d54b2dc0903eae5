package ssestream_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/ssestream/internal/wire"
)

// TestEventSourceParser has the npm package read the corpus, whole, byte by byte, and in chunks of random sizes.
func TestEventSourceParser(t *testing.T) {
	t.Parallel()
	onBothHandlers(t, func(t *testing.T, stream []byte, want []wire.Received) {
		t.Helper()
		chunkings := [][]int{{len(stream)}, {1}}
		for seed := range uint64(6) {
			chunkings = append(chunkings, randomSizes(seed, 1+seed*seed*seed*20))
		}
		for i, got := range readByNode(t, stream, chunkings) {
			assert.Empty(t, wire.Difference(want, got), "chunking %d", i)
		}
	})
}

func randomSizes(seed, most uint64) []int {
	random := rand.New(rand.NewPCG(seed, 0))
	sizes := make([]int, 997)
	for i := range sizes {
		sizes[i] = int(1 + random.Uint64N(most))
	}
	return sizes
}

// readByNode returns what parser/read.mjs reads, once a chunking.
func readByNode(t *testing.T, stream []byte, chunkings [][]int) [][]wire.Received {
	t.Helper()
	for _, file := range []string{"parser/read.mjs", "parser/node_modules/eventsource-parser/package.json"} {
		require.FileExists(t, file, "`npm ci` has to have run in integration/ssestream/parser, as `make test` sees to")
	}
	input, err := json.Marshal(map[string]any{"stream": stream, "chunkings": chunkings})
	require.NoError(t, err)
	node := exec.CommandContext(t.Context(), "node", "parser/read.mjs")
	var output, complaints bytes.Buffer
	node.Stdin, node.Stdout, node.Stderr = bytes.NewReader(input), &output, &complaints
	require.NoError(t, node.Run(), "node: %s", &complaints)
	var read [][]wire.Received
	require.NoError(t, json.Unmarshal(output.Bytes(), &read))
	return read
}
