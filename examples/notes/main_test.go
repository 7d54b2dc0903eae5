package main

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
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

// TestAStopLosesNothing: what was accepted is in its feed, or in the outbox for the next start.
func TestAStopLosesNothing(t *testing.T) {
	t.Parallel()
	for range 20 {
		stopWhileWriting(t)
	}
}

func stopWhileWriting(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	file := filepath.Join(t.TempDir(), "notes.db")
	app := newApp(ctx, file)
	var writers sync.WaitGroup
	var accepted atomic.Int64
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/notes?text=hello&tag=go", http.NoBody)
				answer := httptest.NewRecorder()
				app.ServeHTTP(answer, request)
				if assert.Equal(t, http.StatusOK, answer.Code) && accepted.Add(1) == 20 {
					stop()
				}
			}
		})
	}
	writers.Wait()
	db, err := sql.Open("sqlite", sqlitestore.DSN(file))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var shown, left int64
	require.Eventually(t, func() bool {
		row := db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM note_feed_entries), (SELECT count(*) FROM outbox)")
		return row.Scan(&shown, &left) == nil && shown+left == accepted.Load()
	}, 10*time.Second, time.Millisecond, "%d notes were accepted", accepted.Load())
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
