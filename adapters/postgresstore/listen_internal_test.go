package postgresstore

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestABeatIsHeardBesideOwnMessages, which come before the beat is asked for.
func TestABeatIsHeardBesideOwnMessages(t *testing.T) {
	t.Parallel()
	s := &listener{live: &Live{name: "one"}, beats: make(chan string, 1)}
	beat := notification("one", 0, 0, "1")
	s.heardOwn(beat)
	for _, own := range split("one", `{"topic":"a"}`) {
		s.heardOwn(own)
	}
	assert.True(t, s.hears(t.Context(), beat))
}
