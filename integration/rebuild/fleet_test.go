package rebuild_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
)

// opening opens the parts of an instance.
type opening func(t *testing.T) (parts app.Parts, closeParts func() error)

// fleet is the serving instances of a microblog, of one or more kinds, and a client that asks any of them.
type fleet struct {
	client *http.Client

	mu      sync.Mutex
	serving []*instance
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	t.Cleanup(func() {
		for _, old := range f.all() {
			f.withdraw(t, old)
		}
	})
	return f
}

// instance is a microblog in this process.
type instance struct {
	url        string
	stop       context.CancelFunc
	stopped    chan error
	closeParts func() error
}

// start starts an instance and waits until it is ready. It does not get requests yet.
func (f *fleet) start(t *testing.T, open opening) *instance {
	t.Helper()
	parts, closeParts := open(t)
	microblog, err := app.New(parts, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	i := &instance{url: "http://" + listener.Addr().String(), stop: stop, stopped: make(chan error, 1), closeParts: closeParts}
	go func() { i.stopped <- microblog.Run(ctx, listener) }()
	require.Eventually(t, func() bool {
		require.Empty(t, i.stopped, "the instance has stopped")
		response, err := f.client.Get(i.url + "/readyz")
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, patience, 5*time.Millisecond, "the instance is not ready")
	return i
}

// admit sends requests to the instance.
func (f *fleet) admit(i *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serving = append(f.serving, i)
}

// withdraw sends no more requests to the instance, and stops it.
func (f *fleet) withdraw(t *testing.T, i *instance) {
	t.Helper()
	f.mu.Lock()
	f.serving = slices.DeleteFunc(f.serving, func(other *instance) bool { return other == i })
	f.mu.Unlock()
	i.stop()
	require.NoError(t, <-i.stopped)
	require.NoError(t, i.closeParts())
	f.client.CloseIdleConnections()
}

func (f *fleet) all() []*instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.serving)
}

// serves reports whether the instance gets requests.
func (f *fleet) serves(i *instance) bool { return slices.Contains(f.all(), i) }

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask asks one of the instances, and another one if that fails because it was withdrawn.
func (f *fleet) ask(ctx context.Context, method, path string, body any, tokens ...string) (answer, error) {
	for {
		all := f.all()
		i := all[rand.IntN(len(all))]
		a, err := f.send(ctx, i, method, path, body, tokens)
		if (err == nil && a.status < http.StatusInternalServerError) || f.serves(i) {
			return a, err
		}
	}
}

func (f *fleet) send(ctx context.Context, i *instance, method, path string, body any, tokens []string) (answer, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, method, i.url+path, bytes.NewReader(encoded))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for _, token := range tokens {
		request.Header.Add("Feedmill-Token", token)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: got}, err
}
