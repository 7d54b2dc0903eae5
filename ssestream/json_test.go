package ssestream_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// TestPlainGet also shows that plain requests do not need Run.
func TestPlainGet(t *testing.T) {
	t.Parallel()

	board := newBoard()
	board.set("a", 1)
	board.setText("a", "<b>&")
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	site := serve(t, router.AddHandler(topic, board.adapter(t)))

	response := site.do(t, http.MethodGet, "key=a")
	assert.Equal(t, http.StatusOK, response.status)
	assert.Equal(t, `{"Key":"a","N":1,"Text":"<b>&"}`, response.body) //nolint:testifylint // the very bytes count
	header := response.header
	assert.Equal(t, "application/json", header.Get("Content-Type"))
	assert.Equal(t, strconv.Itoa(len(response.body)), header.Get("Content-Length"))
	assert.Equal(t, "private, no-cache", header.Get("Cache-Control"))
	assert.Equal(t, "Accept", header.Get("Vary"))
	tag := header.Get("ETag")
	assert.Regexp(t, `^"[\w-]{16}"$`, tag)

	head := site.do(t, http.MethodHead, "key=a")
	header.Del("Date")
	head.header.Del("Date")
	assert.Equal(t, header, head.header)

	for _, method := range []string{http.MethodGet, http.MethodHead} {
		same := site.do(t, method, "key=a", "If-None-Match", `"other", W/`+tag)
		assert.Equal(t, http.StatusNotModified, same.status)
		assert.Equal(t, tag, same.header.Get("ETag"))
	}
	board.set("a", 2)
	changed := site.do(t, http.MethodGet, "key=a", "If-None-Match", tag)
	assert.Equal(t, http.StatusOK, changed.status)
	assert.NotEqual(t, tag, changed.header.Get("ETag"))
	assert.EqualValues(t, 5, router.Stats().Loads)
}

// TestEntityTags begin with the version, where there is one that fits, and change with the bytes even if it does not.
func TestEntityTags(t *testing.T) {
	t.Parallel()

	for version, want := range map[string]string{
		"rev-7":                  `^"rev-7\.[\w-]{16}"$`,
		"":                       `^"[\w-]{16}"$`,
		"with space":             `^"[\w-]{16}"$`,
		`quo"te`:                 `^"[\w-]{16}"$`,
		"line\nbreak":            `^"[\w-]{16}"$`,
		"ümlaut":                 `^"[\w-]{16}"$`,
		strings.Repeat("v", 112): `^"[\w-]{16}"$`,
	} {
		board := newBoard()
		builder := board.builder()
		builder.Version = func(score) string { return version }
		adapter, err := builder.Build()
		require.NoError(t, err)
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
		site := serve(t, router.AddHandler(topic, adapter))
		tag := site.do(t, http.MethodGet, "key=a").header.Get("ETag")
		assert.Regexp(t, want, tag)
		assert.NotEqual(t, tag, site.do(t, http.MethodGet, "key=b").header.Get("ETag"))
		assert.Equal(t, http.StatusNotModified, site.do(t, http.MethodGet, "key=a", "If-None-Match", tag).status)
		board.set("a", 1)
		assert.Equal(t, http.StatusOK, site.do(t, http.MethodGet, "key=a", "If-None-Match", tag).status,
			"a new release may encode the same version otherwise")
	}
}
