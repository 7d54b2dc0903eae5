package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
)

// TestOperationsPage drives the page of a microblog by HTTP: it pauses the feeds, writes a post, looks, resumes, and audits.
func TestOperationsPage(t *testing.T) {
	t.Parallel()
	const patience = time.Minute
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var output lockedBuffer
	stopped := make(chan error, 1)
	go func() {
		args := []string{"-addr", "127.0.0.1:0", "-operations-addr", "127.0.0.1:0", "-data-dir", t.TempDir()}
		stopped <- run(ctx, args, environment(nil), &output, &output)
	}()
	var urls [][]string
	require.Eventually(t, func() bool {
		urls = regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+)`).FindAllStringSubmatch(output.String(), -1)
		return len(urls) == 2
	}, patience, 5*time.Millisecond, "it does not say where it is")
	page, blog := urls[0][1], urls[1][1]
	require.Eventually(t, func() bool { return feedmill.CheckReady(t.Context(), blog+"/readyz") == nil },
		patience, 5*time.Millisecond, "it is not ready")

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	do := func(method, address, contentType, body string) (status int, text string) {
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Content-Type", contentType)
		response, err := client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		read, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(read)
	}
	state := func() (state operate.State) {
		_, text := do(http.MethodGet, page, "", "")
		require.NoError(t, json.Unmarshal([]byte(text), &state), text)
		return state
	}
	act := func(fields ...string) {
		form := url.Values{}
		for i := 0; i < len(fields); i += 2 {
			form.Add(fields[i], fields[i+1])
		}
		status, text := do(http.MethodPost, page, "application/x-www-form-urlencoded", form.Encode())
		require.Equal(t, http.StatusOK, status, text)
	}

	require.Eventually(t, func() bool { return state().Outbox.Waiting == 0 }, patience, 5*time.Millisecond, "the posts of a first start")
	feeds := state().Projections[0].Name
	act("action", "pause", "name", feeds)
	status, text := do(http.MethodPost, blog+"/api/posts", "application/json", `{"title":"T","content":"#go","author":"Ada"}`)
	require.Equal(t, http.StatusCreated, status, text)
	require.Equal(t, int64(1), state().Outbox.Waiting)
	require.True(t, state().Projections[0].Paused)
	act("action", "resume", "name", feeds)
	require.Eventually(t, func() bool { return state().Outbox.Waiting == 0 }, patience, 5*time.Millisecond)
	act("action", "audit", "name", feeds)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		job := state().ReadModels[0].Job
		assert.False(c, job.Ended.IsZero())
		assert.Contains(c, strings.Join(job.Results, " "), "13 items, ")
		assert.Contains(c, strings.Join(job.Results, " "), "0 drifts")
	}, patience, 10*time.Millisecond)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
	require.NoError(t, err)
	request.Host = "rebound.example"
	response, err := client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusForbidden, response.StatusCode, "the name of another site")
	stop()
	require.NoError(t, <-stopped)
}
