package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// site is a server with the page of a handler, which may be mounted anywhere.
type site struct {
	*testing.T

	url string
}

func openSite(t *testing.T, c operate.HandlerConfig) site {
	t.Helper()
	handler, err := operate.NewHandler(c)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- handler.Run(ctx) }()
	<-handler.Running()
	mux := http.NewServeMux()
	mux.Handle("/team/operations", handler)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		stop()
		require.NoError(t, <-stopped)
	})
	return site{t, server.URL + "/team/operations"}
}

// do sends a request as a browser if header has an Accept, and else as a program.
func (s site) do(method, query string, form url.Values, header http.Header) (answer, string) {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), method, s.url+query, strings.NewReader(form.Encode()))
	require.NoError(s, err)
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(s, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(s, err)
	return answer{response.StatusCode, response.Header, response.Request.URL.Path}, string(body)
}

// answer is a response without its body, and the path that it came from.
type answer struct {
	status int
	header http.Header
	path   string
}

func browser() http.Header { return http.Header{"Accept": {"text/html,*/*;q=0.8"}} }

func (s site) state(query string) operate.State {
	s.Helper()
	response, body := s.do(http.MethodGet, query, nil, nil)
	require.Equal(s, http.StatusOK, response.status)
	require.Equal(s, "application/json", response.header.Get("Content-Type"))
	require.Equal(s, "no-store", response.header.Get("Cache-Control"))
	var state operate.State
	require.NoError(s, json.Unmarshal([]byte(body), &state), body)
	return state
}

// act sends an action as a program, and returns the result.
func (s site) act(fields ...string) string {
	s.Helper()
	response, body := s.do(http.MethodPost, "", formOf(fields...), nil)
	require.Equal(s, http.StatusOK, response.status, body)
	var answer struct{ Done string }
	require.NoError(s, json.Unmarshal([]byte(body), &answer))
	return answer.Done
}

// refused sends an action as a program that must be refused, and returns the reason.
func (s site) refused(status int, fields ...string) string {
	s.Helper()
	response, body := s.do(http.MethodPost, "", formOf(fields...), nil)
	require.Equal(s, status, response.status, body)
	require.Equal(s, "application/problem+json", response.header.Get("Content-Type"))
	return body
}

// formOf returns a form of alternating names and values.
func formOf(fields ...string) url.Values {
	form := url.Values{}
	for pair := range slices.Chunk(fields, 2) {
		form.Add(pair[0], pair[1])
	}
	return form
}

func TestPageShowsOnlyWhatThereIs(t *testing.T) {
	t.Parallel()
	s := openSite(t, operate.HandlerConfig{Title: "Notes"})
	state := s.state("")
	require.Equal(t, "Notes", state.Title)
	require.Nil(t, state.Outbox)
	response, page := s.do(http.MethodGet, "", nil, browser())
	require.Equal(t, "text/html; charset=utf-8", response.header.Get("Content-Type"))
	require.Contains(t, page, "<h1>Notes</h1>")
	require.NotContains(t, page, "<h2")
	for action, status := range map[string]int{
		"unpark": http.StatusNotFound, "replay": http.StatusNotFound, "remove": http.StatusNotFound,
		"pause": http.StatusNotFound, "rebuild": http.StatusNotFound, "fly": http.StatusBadRequest, "": http.StatusBadRequest,
	} {
		s.refused(status, "action", action, "confirm", "yes")
	}
	response, _ = s.do(http.MethodDelete, "", nil, nil)
	require.Equal(t, http.StatusMethodNotAllowed, response.status)
	require.Equal(t, "GET, HEAD, POST", response.header.Get("Allow"))
}

// openParked returns a site with an outbox of n parked messages and a waiting one.
func openParked(t *testing.T, n int) site {
	t.Helper()
	notes, target := openTarget(t)
	for range n {
		_, err := notes.Create(t.Context(), watermill.NewUUID(), note{Tag: "<script>alert(1)</script>"})
		require.NoError(t, err)
	}
	_, err := target.Outbox.Drain(t.Context(), n, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Park, Reason: errors.New("<b>too large</b>"), Attempts: 3}}, len(batch))
	})
	require.NoError(t, err)
	_, err = notes.Create(t.Context(), "waits", note{})
	require.NoError(t, err)
	return openSite(t, operate.HandlerConfig{Outbox: target.Outbox})
}

func TestPageOfAnOutbox(t *testing.T) {
	t.Parallel()
	const parked = 60 // more than a page has
	s := openParked(t, parked)
	state := s.state("").Outbox
	require.Equal(t, int64(1), state.Waiting)
	require.Equal(t, int64(parked), state.Parked)
	require.Equal(t, "note-created", state.Topics[0].Topic)
	require.Equal(t, int64(1), state.Topics[0].Waiting)
	require.Len(t, state.Messages, 50)
	rest := s.state("?parked=" + state.Next).Outbox
	require.Len(t, rest.Messages, parked-50)
	require.Empty(t, rest.Next)
	require.Equal(t, "<b>too large</b>", rest.Messages[0].Reason)
	require.Equal(t, 3, rest.Messages[0].Attempts)
	require.NotEmpty(t, s.state("?parked=nonsense").Outbox.Error, "the rest of the page is there")

	first, second := state.Messages[0].ID, state.Messages[1].ID
	require.Equal(t, "1 of 1 message returned to the outbox", s.act("action", "unpark", "id", first))
	require.Contains(t, s.refused(http.StatusBadRequest, "action", "discard", "id", second), "confirm=yes")
	require.Equal(t, int64(parked-1), s.state("").Outbox.Parked)
	require.Equal(t, "1 of 2 messages discarded; "+first+": not parked", s.act("action", "discard", "id", first, "id", second, "confirm", "yes"))
	require.Equal(t, "58 of 58 messages returned to the outbox", s.act("action", "unpark-all"))
	require.Zero(t, s.state("").Outbox.Parked)
	require.Equal(t, int64(parked), s.state("").Outbox.Topics[0].Waiting)
}

// TestFormsOfThePage works as a browser without scripts does: it sends the form and follows the redirection.
func TestFormsOfThePage(t *testing.T) {
	t.Parallel()
	s := openParked(t, 2)
	response, page := s.do(http.MethodGet, "", nil, browser())
	require.NotContains(t, page, "<script>alert", "messages are shown as text")
	require.NotContains(t, page, "<b>too large")
	require.Contains(t, page, "&lt;b&gt;too large")
	policy := response.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.Contains(t, policy, "frame-ancestors 'none'")

	id := s.state("").Outbox.Messages[0].ID
	require.Contains(t, page, `name="id" value="`+id+`"`)
	header := browser()
	header.Set("Sec-Fetch-Site", "same-origin")
	response, page = s.do(http.MethodPost, "", formOf("action", "unpark", "id", id), header)
	require.Equal(t, http.StatusOK, response.status)
	require.Equal(t, "/team/operations", response.path, "it was sent back to the page")
	require.Contains(t, page, "1 of 1 message returned to the outbox")
	require.Equal(t, int64(1), s.state("").Outbox.Parked)

	require.NotContains(t, page, "only the oldest")

	_, page = s.do(http.MethodGet, "?done=give+me+your+password", nil, browser())
	require.NotContains(t, page, "password", "a link cannot have the page say anything")
	response, page = s.do(http.MethodPost, "", formOf("action", "discard", "id", id), browser())
	require.Equal(t, http.StatusBadRequest, response.status)
	require.Contains(t, page, "confirm=yes")
	require.Contains(t, page, `id="outbox"`, "the page is there beside the error")
}

func TestOtherSitesCannotSendForms(t *testing.T) {
	t.Parallel()
	s := openParked(t, 2)
	for name, header := range map[string]http.Header{
		"cross-site":     {"Sec-Fetch-Site": {"cross-site"}},
		"same site":      {"Sec-Fetch-Site": {"same-site"}},
		"another origin": {"Origin": {"https://evil.example"}},
		"no origin":      {"Origin": {"null"}},
	} {
		response, _ := s.do(http.MethodPost, "", formOf("action", "unpark-all"), header)
		require.Equal(t, http.StatusForbidden, response.status, name)
	}
	require.Equal(t, int64(2), s.state("").Outbox.Parked)
}

// failing is a projection that applies nothing.
type failing struct{ projector.NoSweep }

func (failing) Apply(context.Context, []*message.Message) ([]*message.Message, error) {
	return nil, errors.New("the disk is full")
}

func TestPageOfProjections(t *testing.T) {
	t.Parallel()
	proj, err := projector.New(projector.Config{Name: "note-feeds", Projection: failing{}}, watermill.NopLogger{})
	require.NoError(t, err)
	s := openSite(t, operate.HandlerConfig{Projections: []*projector.Projector{proj}})
	require.Error(t, proj.Publish("note-created", message.NewMessage("1", nil)))
	state := s.state("").Projections[0]
	require.Equal(t, "note-feeds", state.Name)
	require.Contains(t, state.Failure, "the disk is full")
	require.False(t, state.Paused)

	require.Equal(t, `projection "note-feeds" is paused on this instance`, s.act("action", "pause", "name", "note-feeds"))
	require.True(t, s.state("").Projections[0].Paused)
	require.ErrorIs(t, proj.Publish("note-created", message.NewMessage("1", nil)), projector.ErrPaused)
	_, page := s.do(http.MethodGet, "", nil, browser())
	require.Contains(t, page, `value="resume"`)
	s.act("action", "resume", "name", "note-feeds")
	require.False(t, s.state("").Projections[0].Paused)
	require.Contains(t, s.refused(http.StatusNotFound, "action", "pause", "name", "other"), "this instance has note-feeds")
}

// handSubscriber delivers nothing.
type handSubscriber struct{}

func (handSubscriber) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	messages := make(chan *message.Message)
	context.AfterFunc(ctx, func() { close(messages) })
	return messages, nil
}

func (handSubscriber) Close() error { return nil }

// discarding is a publisher.
type discarding struct{}

func (discarding) Publish(string, ...*message.Message) error { return nil }
func (discarding) Close() error                              { return nil }

func TestPageTellsWhatWaitsAtTheBroker(t *testing.T) {
	t.Parallel()
	since := time.Now().Add(-time.Hour)
	proj, err := projector.New(projector.Config{
		Name: "note-feeds", Projection: failing{}, Topics: []string{"note-created"}, PoisonTopic: "poison", Publisher: discarding{},
		Subscriber: waitingAt{backlogs: map[string]projector.Backlog{"note-created": {Messages: 3, Oldest: since}}},
	}, watermill.NopLogger{})
	require.NoError(t, err)
	s := openSite(t, operate.HandlerConfig{Projections: []*projector.Projector{proj}})
	state := s.state("").Projections[0]
	require.Equal(t, int64(3), state.Backlog)
	require.WithinDuration(t, since, state.Oldest, 0)
	_, page := s.do(http.MethodGet, "", nil, browser())
	require.Contains(t, page, "3, the oldest for 1h0m")
}

func TestPageOfReadModels(t *testing.T) {
	t.Parallel()
	notes, target := openTarget(t)
	_, err := notes.Create(t.Context(), "a", note{Tag: "go"})
	require.NoError(t, err)
	held := make(chan struct{})
	feedsOf := target.FeedsOf
	target.FeedsOf = func(item cqrsfeed.Item[note]) []string {
		<-held
		return feedsOf(item)
	}
	s := openSite(t, operate.HandlerConfig{ReadModels: []*operate.ReadModel{operate.NewReadModel("note-feeds", target)}})
	require.Nil(t, s.state("").ReadModels[0].Job)

	require.Equal(t, `rebuild of "note-feeds" has begun`, s.act("action", "rebuild", "name", "note-feeds"))
	require.True(t, s.state("").ReadModels[0].Job.Ended.IsZero())
	_, page := s.do(http.MethodGet, "", nil, browser())
	require.Contains(t, page, "running")
	require.Contains(t, page, `http-equiv="refresh"`)
	s.refused(http.StatusConflict, "action", "audit", "name", "note-feeds")
	close(held)
	job := s.await()
	require.Empty(t, job.Failure)
	require.Equal(t, "a", job.After)
	require.Contains(t, job.Progress, "1 of 1 items")
	require.Contains(t, job.Results[0], "rebuilt: 1 item read")
	require.Contains(t, job.Results[1], "a new rule of feeds needs a higher RuleVersion or a repair")

	s.act("action", "repair", "name", "note-feeds")
	require.Equal(t, []string{"audited: 1 item, 1 feed; 0 drifts, 0 repaired"}, s.await().Results)
	require.Contains(t, s.refused(http.StatusNotFound, "action", "rebuild", "name", "other"), "this instance has note-feeds")
}

// await returns the job of the first read model when it has ended.
func (s site) await() operate.JobState {
	s.Helper()
	var job operate.JobState
	require.EventuallyWithT(s, func(c *assert.CollectT) {
		job = *s.state("").ReadModels[0].Job
		assert.False(c, job.Ended.IsZero())
	}, time.Minute, 10*time.Millisecond)
	return job
}

func TestJobsAreStopped(t *testing.T) {
	t.Parallel()
	notes, target := openTarget(t)
	_, err := notes.Create(t.Context(), "a", note{Tag: "go"})
	require.NoError(t, err)
	begun, held := make(chan struct{}), make(chan struct{})
	target.FeedsOf = func(cqrsfeed.Item[note]) []string {
		close(begun)
		<-held
		return nil
	}
	s := openSite(t, operate.HandlerConfig{ReadModels: []*operate.ReadModel{operate.NewReadModel("note-feeds", target)}})
	s.act("action", "rebuild", "name", "note-feeds")
	<-begun
	s.act("action", "stop", "name", "note-feeds")
	close(held)
	require.Contains(t, s.await().Failure, context.Canceled.Error())

	idle, err := operate.NewHandler(operate.HandlerConfig{ReadModels: []*operate.ReadModel{operate.NewReadModel("note-feeds", target)}})
	require.NoError(t, err)
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("action=rebuild&name=note-feeds"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	idle.ServeHTTP(recorder, request)
	require.Equal(t, http.StatusServiceUnavailable, recorder.Code, "Run does not run")
}

func TestPageOfStreams(t *testing.T) {
	t.Parallel()
	s := openSite(t, operate.HandlerConfig{Streams: func() iter.Seq[operate.Stream] {
		return func(yield func(operate.Stream) bool) {
			for i := range 3000 {
				if !yield(operate.Stream{Topics: "feed-updated", Key: "tag-" + strings.Repeat("x", i%7), Clients: i}) {
					return
				}
			}
			yield(operate.Stream{Topics: "feed-updated", Key: "tag-broken", Clients: 1, Stale: "the store is away"})
		}
	}})
	streams := s.state("").Streams
	require.Equal(t, 3001, streams.Keys)
	require.Equal(t, 1, streams.Stale)
	require.Len(t, streams.Shown, 100)
	require.Equal(t, "tag-broken", streams.Shown[0].Key)
	require.Equal(t, 2999, streams.Shown[1].Clients)
	require.Len(t, s.state("?key=brok").Streams.Shown, 1)
}
