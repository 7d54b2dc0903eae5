//go:build linux

package load_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/load"
)

func TestParser(t *testing.T) {
	t.Parallel()
	const first, second = "data: {\"text\":\"x\",\"n\":1000000007}\n\n", "data: {\"text\":\"x\",\"n\":1000000008}\n\n"
	require.Equal(t, []int64{1000000008}, load.Newest([]byte(first+second)), "the newest of one read")
	require.Equal(t, []int64{1000000008, 1000000008}, load.Newest([]byte(second), []byte(first)), "never backward")
	require.Equal(t, []int64{0}, load.Newest([]byte("data: {\"n\":12}\n\n")), "a shorter number is ignored")

	end := len(first) - len("}\n\n")
	for cut := range end {
		require.Equal(t, []int64{0, 1000000007}, load.Newest([]byte(first[:cut]), []byte(first[cut:])), "cut at %d", cut)
	}
	bytes := make([][]byte, end)
	for i := range bytes {
		bytes[i] = []byte{first[i]}
	}
	require.Equal(t, int64(1000000007), load.Newest(bytes...)[end-1], "byte by byte")
}
