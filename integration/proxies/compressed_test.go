package proxies_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestCompressedStreamsPass through each proxy, with and without compression of its own, as the router has compressed them.
func TestCompressedStreamsPass(t *testing.T) {
	t.Parallel()
	for name, start := range kinds {
		for _, suffix := range []string{"-plain", "-compressed", ""} {
			t.Run(name+"/conf"+suffix, func(t *testing.T) {
				t.Parallel()
				v := visitor{app: startApp(t, 0)}
				v.base = start(t, config{suffix: suffix}, v.app.port, v.app.port)
				for version := 1; version <= 2; version++ {
					v.client = client(t, version)
					for i := range 4 {
						v.several, v.wrapped = i&1 != 0, i&2 != 0
						for v.encoding, v.large = range map[string]int{"gzip": 5_000, "zstd": 60_000} {
							if v.several && v.encoding == "gzip" {
								continue // Several streams are compressed by zstd, where it is accepted.
							}
							t.Run(fmt.Sprintf("HTTP %d,several=%t,wrapped=%t,%s", version, v.several, v.wrapped, v.encoding), v.compressedCome)
						}
					}
				}
			})
		}
	}
}

// compressedCome expects each state before anything is sent after it, for clients in step and one that joins.
func (v visitor) compressedCome(t *testing.T) {
	t.Parallel()
	s := newSiteOf(t, ssestream.RouterConfig{Heartbeat: ssestream.Off}, true)
	noise := make([]byte, v.large)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	text := base64.StdEncoding.EncodeToString(noise[:v.large/4*3])
	s.set(t, "a", text)
	var streams []*ssestreamtest.Stream
	frames := 0
	counted := func(more int) int64 { // A frame is counted after it was written.
		frames += more
		require.Eventually(t, func() bool { return s.router.Stats().Frames == int64(frames) }, patience, time.Millisecond)
		return s.router.Stats().Bytes
	}
	for i := range 4 {
		streams = append(streams, v.open(t, s, "a"))
		assert.Equal(t, v.encoding, streams[i].Header().Get("Content-Encoding"))
		require.Equal(t, text, next(t, streams[i]))
		before := counted(1)
		changed := fmt.Sprintf("%d %s", i, text)
		s.set(t, "a", changed)
		for _, stream := range streams {
			require.Equal(t, changed, next(t, stream), "change %d", i)
		}
		assert.Less(t, counted(len(streams))-before, int64(len(streams))*400, "change %d", i)
		text = changed
	}
}
