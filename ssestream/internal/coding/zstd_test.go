package coding_test

import (
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/internal/coding"
)

// TestRepeatedOffsetsAreReset before each text: a compressor may rely on what they are at the begin of a frame, although
// none of this module does so far.
func TestRepeatedOffsetsAreReset(t *testing.T) {
	t.Parallel()
	decoder, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer decoder.Close()
	const raw = "\x80\x00\x00ABCDEFGHIJKLMNOP" // a block that is not compressed
	// matching is a block of the literal x and three bytes from a repeated offset, as the code of the offset and its bits say.
	matching := func(code, bits string) string { return "\x44\x00\x00\x08x\x01\x54\x01" + code + "\x00" + bits }
	for name, test := range map[string]struct{ block, want string }{
		"first":  {matching("\x00", "\x01"), "xxxx"},
		"second": {matching("\x01", "\x02"), "xNOP"},
		"third":  {matching("\x01", "\x03"), "xJKL"},
	} {
		const other = "\x44\x00\x00\x08x\x01\x54\x01\x03\x00\x08" // a match at offset 5
		encoded := coding.ZstdHead + raw + other + coding.ZstdReset + raw + test.block + "\x01\x00\x00"
		got, err := decoder.DecodeAll([]byte(encoded), nil)
		require.NoError(t, err, name)
		assert.Equal(t, "ABCDEFGHIJKLMNOPxMNO"+coding.ResetText+"ABCDEFGHIJKLMNOP"+test.want, string(got), name)
	}
}
