package api_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a microblog with one post. Neither relay nor projector runs, so every row that a request writes stays there.
type site struct {
	url    string
	client *http.Client
	post   cqrsfeed.Item[post.Post]
	parts  app.Parts
	db     *sql.DB
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	opened, err := stack.Open(t.Context(), stack.Config{DataDir: dir}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	microblog, err := app.New(opened.Parts, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, microblog.Router().Close()) })
	server := httptest.NewServer(microblog.Handler())
	t.Cleanup(server.Close)

	s := &site{url: server.URL, client: server.Client(), parts: opened.Parts}
	s.client.Timeout = 20 * time.Second
	s.db, err = sql.Open("sqlite", sqlitestore.DSN(filepath.Join(dir, "microblog.db")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.db.Close()) })

	p, err := post.New("A title", "#go and #sse", "Ada")
	require.NoError(t, err)
	s.post, err = opened.Posts.Create(t.Context(), "the-post", p)
	require.NoError(t, err)
	_, err = opened.Feeds.Apply(t.Context(), []cqrsfeed.FeedChange[post.Post]{{Item: s.post, Feeds: p.Tags}})
	require.NoError(t, err)
	return s
}

// state is everything that a request could have written.
type state struct {
	Posts  []cqrsfeed.Item[post.Post]
	Feeds  []cqrsfeed.Feed
	Pages  []cqrsfeed.FeedPage[post.Post]
	Outbox int
}

func (s *site) state(t *testing.T) state {
	t.Helper()
	var now state
	var err error
	now.Posts, err = s.parts.Posts.Scan(t.Context(), "", 0)
	require.NoError(t, err)
	now.Feeds, err = s.parts.Feeds.Feeds(t.Context(), "", 0)
	require.NoError(t, err)
	for _, feed := range now.Feeds {
		page, err := s.parts.Feeds.Page(t.Context(), feed.Name, "", 0)
		require.NoError(t, err)
		now.Pages = append(now.Pages, page)
	}
	require.NoError(t, s.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM outbox").Scan(&now.Outbox))
	return now
}

// request is a request of a test. Header has "Name: value" lines.
type request struct {
	method, path, body string
	header             []string
}

// sent returns a request with a JSON body.
func sent(method, path, body string, header ...string) request {
	return request{method, path, body, append([]string{"Content-Type: application/json"}, header...)}
}

// asked returns a request without a body.
func asked(method, path string, header ...string) request { return request{method, path, "", header} }

// answer is a response with its body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (s *site) do(t *testing.T, req request) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), req.method, s.url+req.path, strings.NewReader(req.body))
	require.NoError(t, err)
	for _, line := range req.header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	response, err := s.client.Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return answer{response.StatusCode, response.Header, body}
}

// problem is a problem document (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Field  string `json:"field"`
		Detail string `json:"detail"`
	} `json:"errors"`
}

// requireProblem requires a problem document that names the fields.
func requireProblem(t *testing.T, a answer, status int, fields ...string) {
	t.Helper()
	require.Equal(t, status, a.status, "%s", a.body)
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.DisallowUnknownFields()
	var p problem
	require.NoError(t, decoder.Decode(&p), "%s", a.body)
	require.Equal(t, []any{"about:blank", http.StatusText(status), status}, []any{p.Type, p.Title, p.Status})
	require.NotEmpty(t, p.Detail)
	require.NotContains(t, p.Detail, "sqlitestore", "what happens inside is not the client's business")
	var named []string
	for _, e := range p.Errors {
		require.NotEmpty(t, e.Detail)
		require.NotContains(t, e.Detail, "sqlitestore")
		named = append(named, e.Field)
	}
	require.Equal(t, fields, named, "%s", a.body)
}
