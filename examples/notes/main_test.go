package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func TestAPageFollowsItsTag(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := httptest.NewServer(newApp(ctx, filepath.Join(t.TempDir(), "notes.db")))
	defer server.Close()

	stream, err := ssestreamtest.Connect(ctx, server.Client(), server.URL+"/feeds/go")
	require.NoError(t, err)
	defer func() { require.NoError(t, stream.Close()) }()
	event, err := stream.Next(ctx)
	require.NoError(t, err)
	require.Contains(t, event.Data, `"count":0`)
	require.Contains(t, event.Data, `"items":[]`)
	refused, err := server.Client().Get(server.URL + "/feeds/%FF")
	require.NoError(t, err)
	require.NoError(t, refused.Body.Close())
	require.Equal(t, http.StatusBadRequest, refused.StatusCode)

	response, err := server.Client().PostForm(server.URL+"/notes", url.Values{"text": {"hello"}, "tag": {"go"}})
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	event, err = stream.Next(ctx)
	require.NoError(t, err)
	require.Contains(t, event.Data, `"count":1`)
	require.Contains(t, event.Data, "hello")
}

// TestREADMEShowsThisProgram as it is, from the type of a note to the end of newApp.
func TestREADMEShowsThisProgram(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, program, _ := strings.Cut(string(source), "// newApp keeps")
	program, _, _ = strings.Cut(program, "\nfunc must")
	require.Contains(t, string(readme), strings.TrimSpace(program))
}
