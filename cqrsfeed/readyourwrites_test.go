package cqrsfeed_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func TestTokensKeepTheirWrite(t *testing.T) {
	t.Parallel()
	for _, want := range []cqrsfeed.Token{
		{ID: "a", Version: 1},
		{Kind: "note", ID: "ü|%, \"", Version: 128},
		{Kind: strings.Repeat("k", 64), ID: strings.Repeat("x", limits.MaxIDLength), Version: 1<<63 - 1},
	} {
		text := want.String()
		assert.Regexp(t, `^[A-Za-z0-9_-]{1,271}$`, text)
		got, err := cqrsfeed.ParseToken(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	assert.Equal(t, cqrsfeed.Token{Kind: "note", ID: "x", Version: 3}, cqrsfeed.Item[int]{ID: "x", Version: 3}.Token("note"))
}

// FuzzParseToken shows that every accepted text is what String returns, for a valid item.
func FuzzParseToken(f *testing.F) {
	f.Add(cqrsfeed.Token{ID: "x", Version: 1}.String())
	for _, text := range []string{"", "AA", "AQB4", "AQB4=", "gAEAeA", "gQAAeA", "AAB4", "AQ", "AQA", "AQAK", "AW5vdGUAeA", "AWEKYgB4", "AQ B4", "____________AQB4", "AQD_"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := cqrsfeed.ParseToken(text)
		if err != nil {
			require.ErrorIs(t, err, cqrsfeed.ErrBadToken)
			return
		}
		require.Equal(t, text, token.String())
		require.Positive(t, token.Version)
		require.NoError(t, cqrsfeed.ValidateID(token.ID))
	})
}

func TestBadTokensAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "!", "AQB4=", "AQB\n4", "AQ", "AQA", "AAB4", "AQAK", "AWEKYgB4", "gQAAeA", "AQD_", "gICAgICAgICAAQB4",
		cqrsfeed.Token{Kind: strings.Repeat("k", 65), ID: "x", Version: 1}.String(),
	} {
		_, err := cqrsfeed.ParseToken(text)
		require.ErrorIs(t, err, cqrsfeed.ErrBadToken, text)
	}
}

// versionsAt is a read model to which versions are applied at given times.
type versionsAt struct {
	mu    sync.Mutex
	at    map[cqrsfeed.Token]time.Time
	asked int
	err   error
}

func (v *versionsAt) ItemVersion(ctx context.Context, id string) (int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	v.asked++
	highest := int64(0)
	for token, at := range v.at {
		if token.ID == id && !time.Now().Before(at) {
			highest = max(highest, token.Version)
		}
	}
	return highest, v.err
}

func TestAwaitReturnsSoonAfterTheWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, lag := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second} {
			start := time.Now()
			store := &versionsAt{at: map[cqrsfeed.Token]time.Time{{ID: "x", Version: 2}: start, {ID: "x", Version: 4}: start.Add(lag)}}
			pending, err := cqrsfeed.Await(t.Context(), store, cqrsfeed.Token{ID: "x", Version: 3})
			require.NoError(t, err)
			assert.Empty(t, pending)
			waited := time.Since(start)
			assert.GreaterOrEqual(t, waited, lag)
			assert.LessOrEqual(t, waited, lag+min(lag, 63*time.Millisecond)+2*time.Millisecond, "lag %s", lag)
		}
	})
}

func TestAwaitEndsWithItsContextAndWithTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		come, never := cqrsfeed.Token{ID: "x", Version: 2}, cqrsfeed.Token{ID: "x", Version: 3}
		store := &versionsAt{at: map[cqrsfeed.Token]time.Time{come: time.Now().Add(time.Second)}}
		start := time.Now()
		pending, err := cqrsfeed.Await(ctx, store, never, come)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, []cqrsfeed.Token{never}, pending)
		assert.Equal(t, 2*time.Second, time.Since(start))
		assert.Less(t, store.asked, 90, "it polls less and less often, and not for what was seen")

		store = &versionsAt{err: errDown}
		pending, err = cqrsfeed.Await(t.Context(), store, come, never)
		require.ErrorIs(t, err, errDown)
		require.ErrorContains(t, err, `item "x"`)
		assert.Equal(t, []cqrsfeed.Token{come, never}, pending)
		assert.Equal(t, 1, store.asked)
	})
}

// always is one store for all kinds.
func always(store cqrsfeed.ItemVersions) func(string) cqrsfeed.ItemVersions {
	return func(string) cqrsfeed.ItemVersions { return store }
}

// readThrough sends a read through the middleware and returns the response and how long it took.
func readThrough(t *testing.T, config cqrsfeed.ReadYourWritesConfig, request *http.Request) (*httptest.ResponseRecorder, time.Duration) {
	t.Helper()
	middleware, err := cqrsfeed.NewReadYourWrites(config)
	require.NoError(t, err)
	response := httptest.NewRecorder()
	start := time.Now()
	middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Same(t, response, w, "streams need the server's own writer")
		assert.Same(t, request, r, "the App goes on with the request that it has")
		w.WriteHeader(http.StatusTeapot)
	})).ServeHTTP(response, request)
	return response, time.Since(start)
}

func TestReadsWaitForTheirWrites(t *testing.T) {
	t.Parallel()
	a, b, never := cqrsfeed.Token{ID: "a", Version: 1}, cqrsfeed.Token{ID: "b", Version: 7}, cqrsfeed.Token{ID: "never", Version: 1}
	for name, test := range map[string]struct {
		query    string
		header   []string
		atLeast  time.Duration
		atMost   time.Duration
		pending  string
		maxWait  time.Duration
		storeErr error
	}{
		"without tokens":      {},
		"by header":           {header: []string{a.String()}, atLeast: 100 * time.Millisecond, atMost: 163 * time.Millisecond},
		"by query":            {query: "feedmill_token=" + a.String(), atLeast: 100 * time.Millisecond, atMost: 163 * time.Millisecond},
		"for all":             {query: "feedmill_token=" + a.String(), header: []string{b.String()}, atLeast: time.Second, atMost: 1063 * time.Millisecond},
		"for a list":          {header: []string{b.String() + " ,\t" + a.String()}, atLeast: time.Second, atMost: 1063 * time.Millisecond},
		"for several fields":  {header: []string{a.String(), b.String()}, atLeast: time.Second, atMost: 1063 * time.Millisecond},
		"no longer than that": {header: []string{never.String()}, atLeast: 2 * time.Second, atMost: 2 * time.Second, pending: never.String()},
		"in all": {
			header:  []string{never.String(), a.String(), b.String(), never.String()},
			atLeast: 1500 * time.Millisecond, atMost: 1500 * time.Millisecond, maxWait: 1500 * time.Millisecond,
			pending: never.String(),
		},
		"as long as is wanted": {
			header: []string{b.String()}, maxWait: 5 * time.Millisecond, atLeast: 5 * time.Millisecond, atMost: 5 * time.Millisecond,
			pending: b.String(),
		},
		"unless the store fails": {header: []string{a.String()}, storeErr: errDown, pending: a.String()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &versionsAt{err: test.storeErr, at: map[cqrsfeed.Token]time.Time{
					a: time.Now().Add(100 * time.Millisecond), b: time.Now().Add(time.Second),
				}}
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+test.query, http.NoBody)
				request.Header[cqrsfeed.TokenHeader] = test.header
				response, took := readThrough(t, cqrsfeed.ReadYourWritesConfig{Store: always(store), MaxWait: test.maxWait}, request)
				assert.Equal(t, http.StatusTeapot, response.Code, "it is served in any case")
				assert.GreaterOrEqual(t, took, test.atLeast)
				assert.LessOrEqual(t, took, test.atMost)
				assert.Equal(t, test.pending, response.Header().Get(cqrsfeed.PendingHeader))
			})
		})
	}
}

func TestATokenIsWaitedForInTheStoreOfItsKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		note, user := cqrsfeed.Token{Kind: "note", ID: "x", Version: 1}, cqrsfeed.Token{Kind: "user", ID: "x", Version: 2}
		other := cqrsfeed.Token{Kind: "other", ID: "x", Version: 3}
		stores := map[string]cqrsfeed.ItemVersions{
			"note": &versionsAt{at: map[cqrsfeed.Token]time.Time{note: time.Now().Add(time.Second)}},
			"user": &versionsAt{},
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		request.Header.Set(cqrsfeed.TokenHeader, note.String()+","+other.String())
		config := cqrsfeed.ReadYourWritesConfig{Store: func(kind string) cqrsfeed.ItemVersions { return stores[kind] }}
		response, took := readThrough(t, config, request)
		assert.InDelta(t, time.Second, took, float64(63*time.Millisecond))
		assert.Empty(t, response.Header().Get(cqrsfeed.PendingHeader), "no read shows the other kind")

		request.Header.Set(cqrsfeed.TokenHeader, note.String()+","+user.String())
		response, took = readThrough(t, config, request)
		assert.Equal(t, 2*time.Second, took)
		assert.Equal(t, user.String(), response.Header().Get(cqrsfeed.PendingHeader))
	})
}

// panickingVersions is a store that panics.
type panickingVersions struct{}

func (panickingVersions) ItemVersion(context.Context, string) (int64, error) {
	panic(http.ErrAbortHandler)
}

// TestAPanicOfAStoreEndsItsRequest with its value, as net/http has it, and not the process.
func TestAPanicOfAStoreEndsItsRequest(t *testing.T) {
	t.Parallel()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	request.Header.Set(cqrsfeed.TokenHeader, cqrsfeed.Token{ID: "a", Version: 1}.String())
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		readThrough(t, cqrsfeed.ReadYourWritesConfig{Store: always(panickingVersions{})}, request)
	})
}

func TestReadsWithBadTokensAreRefused(t *testing.T) {
	t.Parallel()
	good := cqrsfeed.Token{ID: "a", Version: 1}.String()
	for name, request := range map[string]struct{ query, header string }{
		"no token":               {query: "feedmill_token=x"},
		"empty":                  {query: "feedmill_token="},
		"one of them":            {header: good + ", " + good + ",x"},
		"more than there may be": {query: strings.Repeat("feedmill_token="+good+"&", limits.MaxTokens), header: good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+request.query, http.NoBody)
			if request.header != "" {
				r.Header.Set(cqrsfeed.TokenHeader, request.header)
			}
			store := &versionsAt{err: errDown}
			response, _ := readThrough(t, cqrsfeed.ReadYourWritesConfig{Store: always(store)}, r)
			assert.Equal(t, http.StatusBadRequest, response.Code)
			assert.Equal(t, "application/problem+json", response.Header().Get("Content-Type"))
			var problem struct {
				Status int
				Detail string
			}
			require.NoError(t, json.Unmarshal(response.Body.Bytes(), &problem))
			assert.Equal(t, http.StatusBadRequest, problem.Status)
			assert.Contains(t, problem.Detail, "bad token")
			assert.Zero(t, store.asked)

			response, _ = readThrough(t, cqrsfeed.ReadYourWritesConfig{
				Store: always(store),
				ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
					assert.ErrorIs(t, err, cqrsfeed.ErrBadToken) //nolint:testifylint // called by the handler
					w.WriteHeader(http.StatusUnprocessableEntity)
				},
			}, r)
			assert.Equal(t, http.StatusUnprocessableEntity, response.Code)
		})
	}
}

func TestAReadEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
		request.Header.Set(cqrsfeed.TokenHeader, cqrsfeed.Token{ID: "never", Version: 1}.String())
		_, took := readThrough(t, cqrsfeed.ReadYourWritesConfig{Store: always(&versionsAt{}), MaxWait: time.Hour}, request)
		assert.Equal(t, time.Second, took)
	})
}

func TestReadYourWritesConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := cqrsfeed.NewReadYourWrites(cqrsfeed.ReadYourWritesConfig{MaxWait: -1})
	require.ErrorContains(t, err, "Store")
	require.ErrorContains(t, err, "MaxWait")
}
