package wire_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

func TestStamps(t *testing.T) {
	t.Parallel()
	const known = "Ffn7LuvDEEcLgtpF" // no instance may compute another
	assert.Equal(t, known, wire.Stamp([]byte("content"), "handler", "key"))
	for _, other := range []string{
		wire.Stamp([]byte("other"), "handler", "key"),
		wire.Stamp([]byte("content"), "handler", "other"),
		wire.Stamp([]byte("content"), "other", "key"),
		wire.Stamp([]byte("content"), "handlerk", "ey"),
		wire.Stamp([]byte("content"), "handlerkey"),
		wire.Stamp([]byte("ycontent"), "handler", "ke"),
	} {
		assert.NotEqual(t, known, other)
		assert.Regexp(t, `^[\w-]{16}$`, other)
	}
}

func TestIfNoneMatch(t *testing.T) {
	t.Parallel()

	for field, want := range map[string]bool{
		``: false, `"v"`: true, `W/"v"`: true, `*`: true, ` * `: true, `"a", "v"`: true, `"a" ,W/"v" , "b"`: true,
		`"a"`: false, `v`: false, `"v`: false, `"a,v"`: false, `, ,"v"`: true, `"a"x"v"`: false, `w/"v"`: false,
	} {
		assert.Equal(t, want, wire.NoneMatches([]string{field}, "v"), field)
	}
	assert.True(t, wire.NoneMatches([]string{`"a"`, `"v"`}, "v"))
	assert.False(t, wire.NoneMatches(nil, "v"))
}
