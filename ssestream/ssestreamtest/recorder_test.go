package ssestreamtest_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func never(*ssestreamtest.Recorder) bool { return false }

func TestRecorderKeepsEvents(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		script := newScript(respond("data: x\n\n:\nid: 1\ndata: y\n\n"), respondAndStay(":\n\nevent: n\ndata: z\n\n"))
		recorder := record(t, open(t, servePipes(t, script.serve), "http://pipe/"))
		assert.Zero(t, recorder.Last())
		require.NoError(t, recorder.Wait(testContext(t), func(r *ssestreamtest.Recorder) bool { return r.Last().Data == "z" }))
		assert.Equal(t, []ssestreamtest.Arrival{
			{Event: ssestreamtest.Event{Type: "message", Data: "x"}, At: begin, Connection: 1},
			{Event: ssestreamtest.Event{Type: "message", Data: "y", ID: "1"}, At: begin, Connection: 1},
			{Event: ssestreamtest.Event{Type: "n", Data: "z", ID: "1"}, At: begin.Add(3 * time.Second), Connection: 2},
		}, recorder.Events())
		assert.Equal(t, 2, recorder.Connections())
		assert.Equal(t, 2, recorder.Comments())
		require.NoError(t, recorder.Err())
		recorder.Events()[0].Data = "changed"
		assert.Equal(t, "x", recorder.Events()[0].Data)

		require.NoError(t, recorder.Close())
		require.ErrorIs(t, recorder.Err(), ssestreamtest.ErrClosed)
		assert.Len(t, recorder.Events(), 3)
	})
}

// TestRecorderWaitsForAnything tests that Wait is woken by every kind of change.
func TestRecorderWaitsForAnything(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		says := make(chan string)
		client := servePipes(t, func(w http.ResponseWriter, r *http.Request) {
			stream(w, "")
			for {
				select {
				case said := <-says:
					if said == "" {
						return
					}
					stream(w, said)
				case <-r.Context().Done():
					return
				}
			}
		})
		recorder := record(t, open(t, client, "http://pipe/"))
		for _, step := range []struct {
			name, says string
			condition  func(*ssestreamtest.Recorder) bool
		}{
			{"an event", "data: x\n\n", func(r *ssestreamtest.Recorder) bool { return len(r.Events()) == 1 }},
			{"a comment", ":\n", func(r *ssestreamtest.Recorder) bool { return r.Comments() == 1 }},
			{"a connection", "", func(r *ssestreamtest.Recorder) bool { return r.Connections() == 2 }},
		} {
			waited := make(chan error, 1)
			go func() { waited <- recorder.Wait(t.Context(), step.condition) }()
			synctest.Wait()
			require.Empty(t, waited, step.name)
			says <- step.says
			require.NoError(t, <-waited, step.name)
		}
	})
}

func TestRecorderWaitFails(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		client := servePipes(t, respondAndStay("data: x\n\n:\n\n"))
		recorder := record(t, open(t, client, "http://pipe/"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := recorder.Wait(ctx, never)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `events: 1, last: "x", connections: 1, comments: 1`)

		waited := make(chan error, 1)
		go func() { waited <- recorder.Wait(t.Context(), never) }()
		synctest.Wait()
		require.NoError(t, recorder.Close())
		require.ErrorIs(t, <-waited, ssestreamtest.ErrClosed)
	})
}

// TestRecorderFollowsAStream tests that a condition that holds at the end of the source is seen.
func TestRecorderFollowsAStream(t *testing.T) {
	t.Parallel()

	server := serve(t, respond(":\n\ndata: x\n\ndata: y\n\n"))
	stream, err := ssestreamtest.Connect(t.Context(), server.Client(), server.URL)
	require.NoError(t, err)
	recorder := record(t, stream)
	require.ErrorIs(t, recorder.Wait(testContext(t), never), io.EOF)
	require.ErrorIs(t, recorder.Err(), io.EOF)
	require.NoError(t, recorder.Wait(t.Context(), func(r *ssestreamtest.Recorder) bool { return r.Last().Data == "y" }))
	assert.Len(t, recorder.Events(), 2)
	assert.Equal(t, 1, recorder.Comments())
	assert.Equal(t, 1, recorder.Connections())
	assert.Equal(t, 1, recorder.Last().Connection)
}

// TestRecorderSeesComments tests that a comment alone wakes Wait.
func TestRecorderSeesComments(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		beats := make(chan bool)
		client := servePipes(t, func(w http.ResponseWriter, _ *http.Request) {
			stream(w, "")
			<-beats
			stream(w, ":\n")
			<-beats
		})
		s, err := ssestreamtest.Connect(t.Context(), client, "http://pipe/")
		require.NoError(t, err)
		recorder := record(t, s)
		waited := make(chan error, 1)
		go func() {
			waited <- recorder.Wait(t.Context(), func(r *ssestreamtest.Recorder) bool { return r.Comments() == 1 })
		}()
		synctest.Wait()
		beats <- true
		require.NoError(t, <-waited)
		close(beats)
	})
}

// TestRecorderIsSafeForConcurrentUse relies on the race detector.
func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()

	server := serve(t, respond("data: x\n\n:\n\n"))
	recorder := record(t, open(t, server.Client(), server.URL, ssestreamtest.WithMaxWait(0)))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			assert.NoError(t, recorder.Wait(testContext(t), func(r *ssestreamtest.Recorder) bool {
				return len(r.Events()) > i && r.Last().Connection > i && r.Comments() >= i && r.Err() == nil
			}))
		})
	}
	wg.Wait()
}

// Two clients follow a counter. Neither sees it go backward, and both see the last state.
func ExampleRecorder() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := 1; n <= 100; n++ {
			fmt.Fprintf(w, "data: %d\n\n", n)
		}
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	value := func(a ssestreamtest.Arrival) int {
		n, _ := strconv.Atoi(a.Data)

		return n
	}
	for range 2 {
		recorder := ssestreamtest.Record(ssestreamtest.Open(ctx, server.Client(), server.URL))
		defer recorder.Close()
		err := recorder.Wait(ctx, func(r *ssestreamtest.Recorder) bool { return value(r.Last()) == 100 })
		fmt.Println("ends on the last state:", err == nil)
		fmt.Println("never goes backward:", slices.IsSortedFunc(recorder.Events(), func(a, b ssestreamtest.Arrival) int {
			return cmp.Compare(value(a), value(b))
		}))
	}
	// Output:
	// ends on the last state: true
	// never goes backward: true
	// ends on the last state: true
	// never goes backward: true
}
