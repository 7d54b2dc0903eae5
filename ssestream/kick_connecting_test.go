package ssestream_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// TestKickReachesStreamsThatAreConnecting: nothing is sent on them afterwards.
func TestKickReachesStreamsThatAreConnecting(t *testing.T) {
	t.Parallel()
	for name, kick := range map[string]ssestream.Kick{
		"key": {Key: "a"}, "principal": {Principal: "ann"},
		"refused": {Key: "a", Authorize: true}, "allowed": {Key: "a", Authorize: true},
	} {
		for _, at := range []string{"authorize", "load"} {
			t.Run(name+" during "+at, func(t *testing.T) {
				t.Parallel()
				inBubbles(t, settings{config: kickable(t), rights: true}, func(b bubble) {
					gate := make(chan struct{})
					if at == "authorize" {
						b.rights.set(func(s *rights) { s.check = func(string) { <-gate } })
					} else {
						b.board.before(func(context.Context, string) error { <-gate; return nil })
					}
					kicked, other := b.connectLater("key=a", as("ann")), b.connectLater("key=b", as("bob"))
					synctest.Wait()
					if name == "refused" {
						b.rights.set(func(s *rights) { s.refused["ann"] = errors.New("logged out") })
					}
					require.NoError(b, b.router.Kick(b.Context(), kick))
					b.rights.set(func(s *rights) { s.check = nil })
					close(gate)
					stream := <-kicked
					nextScore(b, <-other)
					if name == "allowed" {
						nextScore(b, stream)

						return
					}
					ended(b, stream)
					assert.Positive(b, stream.Retry(), "it is told to come back")
					b.rights.set(func(s *rights) { delete(s.refused, "ann") })
					nextScore(b, b.connect("key=a", as("ann")))
				})
			})
		}
	}
}

// TestKickReachesAStreamThatIsAuthorizedAgain, which has begun and is not served yet.
func TestKickReachesAStreamThatIsAuthorizedAgain(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: kickable(t), rights: true}, func(b bubble) {
		gate := make(chan struct{})
		b.rights.set(func(s *rights) { s.check = func(string) { <-gate } })
		connecting := b.connectLater("key=a", as("ann"))
		synctest.Wait()
		require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Key: "a", Authorize: true}))
		gate <- struct{}{} // authorized
		synctest.Wait()
		kicked := make(chan error, 1)
		go func() { kicked <- b.router.Kick(b.Context(), ssestream.Kick{Key: "a"}) }()
		synctest.Wait()
		gate <- struct{}{} // authorized again
		require.NoError(b, <-kicked)
		select {
		case stream := <-connecting:
			ended(b, stream)
			assert.Positive(b, stream.Retry(), "it is told to come back")
		case <-time.After(time.Second):
			require.Fail(b, "the connection ends without a response")
		}
	})
}

// watched tells when it is read.
type watched struct {
	io.ReadCloser

	read chan struct{}
}

func (w watched) Read(p []byte) (int, error) {
	select {
	case w.read <- struct{}{}:
	default:
	}

	return w.ReadCloser.Read(p) //nolint:wrapcheck // a plain wrapper
}

// TestKickReachesStreamsWhoseBodyIsMissing. What middleware has found out about them is from before.
func TestKickReachesStreamsWhoseBodyIsMissing(t *testing.T) {
	t.Parallel()
	read := make(chan struct{}, 1)
	s := settings{config: kickable(t), around: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = watched{ReadCloser: r.Body, read: read}
			h.ServeHTTP(w, r)
		})
	}}
	w := s.start(t, serve)
	conn := send(t, w.site, "GET /?key=a HTTP/1.1\r\nHost: x\r\nUser: ann\r\nAccept: text/event-stream\r\nContent-Length: 1\r\n\r\n")
	<-read
	require.NoError(t, w.router.Kick(t.Context(), ssestream.Kick{Principal: "ann"}))
	_, err := io.WriteString(conn, "x")
	require.NoError(t, err)
	status, body := answerTo(t, conn)
	assert.Equal(t, http.StatusOK, status)
	all, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.NotContains(t, string(all), "data:")
	assert.Contains(t, string(all), "retry:")
}

// TestKickReachesStreamsThatWaitForAState, and their places are free at once.
func TestKickReachesStreamsThatWaitForAState(t *testing.T) {
	t.Parallel()
	config := kickable(t)
	config.MaxClientsPerPrincipal = 1
	inBubbles(t, settings{config: config}, func(b bubble) {
		b.badKeys(nil)
		waits, start := b.connectLater("key=bad", as("ann")), time.Now()
		synctest.Wait()
		require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Principal: "bob"}))
		require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Principal: "ann", Authorize: true}))
		synctest.Wait()
		assert.Empty(b, waits, "it may go on")
		require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Principal: "ann"}))
		ended(b, <-waits)
		nextScore(b, b.connect("key=a", as("ann")))
		assert.Equal(b, 10*time.Millisecond, time.Since(start))
	})
}

// TestKickReachesStreamsOfOtherAdaptersThatWait for their topic.
func TestKickReachesStreamsOfOtherAdaptersThatWait(t *testing.T) {
	t.Parallel()
	for name, kick := range map[string]ssestream.Kick{"end": {Principal: "ann"}, "authorize": {Principal: "ann", Authorize: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				config, source := kickable(t), newSource()
				config.UpstreamSubscriber = source
				router := newRouter(t, config)
				run(t, router)
				source.fail(errStore)
				b := bubble{T: t, site: servePipes(t, router.AddHandler(topic, funcAdapter{initial: always("hello"), next: payload}))}
				ann, bob := b.connectLater("", as("ann")), b.connectLater("", as("bob"))
				synctest.Wait()
				require.NoError(t, router.Kick(t.Context(), kick))
				source.fail(nil)
				next(t, <-bob)
				ended(t, <-ann)
			})
		})
	}
}
