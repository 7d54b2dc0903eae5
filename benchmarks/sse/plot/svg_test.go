//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDraw(t *testing.T) {
	t.Parallel()
	picture := string(draw([]line{
		{label: "plain", colour: "#000", points: []point{{posts: 0, bytes: lowest}, {posts: longest, bytes: highest}}},
	}))
	require.Contains(t, picture, `points="70.0,350.0 660.0,50.0 "`, "the corners")
	for decoder := xml.NewDecoder(strings.NewReader(picture)); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}
