package cqrsfeed

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/config"
	"github.com/feedmill/feedmill/internal/panics"
	"github.com/feedmill/feedmill/internal/problem"
)

// The names of tokens in HTTP.
const (
	// TokenHeader has the token of a write in the response to a command. In the request of a read it
	// has the tokens to wait for, separated by commas or in several fields.
	TokenHeader = "Feedmill-Token"
	// TokenParameter is the query parameter in place of TokenHeader, once for each token. An EventSource cannot send
	// headers.
	TokenParameter = "feedmill_token"
	// PendingHeader is in the response to a read that ended its wait early. It has the tokens whose writes may be missing
	// in the response.
	PendingHeader = "Feedmill-Pending"
)

// ReadYourWritesConfig configures the middleware of [NewReadYourWrites].
type ReadYourWritesConfig struct {
	// Store returns the read model of a kind of item: see Token.Kind. If it returns nil, the request does not wait for
	// tokens of the kind. Required.
	Store func(kind string) ItemVersions
	// MaxWait is how long a request waits at most, for all its tokens. Defaults to 2 seconds.
	MaxWait time.Duration
	// ErrorHandler responds to a request whose tokens cannot be parsed. The error wraps ErrBadToken.
	// Defaults to a problem document (RFC 9457) of status 400.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

func (c *ReadYourWritesConfig) setDefaults() {
	config.Default(&c.MaxWait, 2*time.Second)
	if c.ErrorHandler == nil {
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) { problem.Write(w, err) }
	}
}

// Validate joins all problems of the configuration.
func (c ReadYourWritesConfig) Validate() error {
	var p config.Problems
	p.Require(c.Store != nil, "Store")
	config.NotNegative(&p, "MaxWait", c.MaxWait)
	return p.Join()
}

// NewReadYourWrites returns middleware for reads, both plain responses and streams. A request with tokens (see
// [TokenHeader] and [TokenParameter]) is served when their writes are in the read model, one without tokens at once.
// The http.ResponseWriter and the request are passed on as they are.
//
// After MaxWait, or when the store fails, the request is served all the same, and [PendingHeader] names the tokens
// whose writes the response may lack: a late read is more useful than none, and an error status would stop an
// EventSource for good. Only tokens that cannot be parsed, and more than [limits.MaxTokens], are refused.
//
// If a store panics, the middleware panics with the same value. The log of slog.Default has the stack.
//
// Across origins CORS has to allow the headers (Access-Control-Expose-Headers, Access-Control-Allow-Headers). The
// query parameter needs neither.
func NewReadYourWrites(c ReadYourWritesConfig) (func(http.Handler) http.Handler, error) {
	c.setDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("read your writes config: %w", err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tokens, err := tokensOf(r)
			if err != nil {
				c.ErrorHandler(w, r, err)
				return
			}
			if pending := c.await(r.Context(), tokens); len(pending) > 0 {
				w.Header().Set(PendingHeader, strings.Join(pending, ", "))
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// await returns those of the tokens whose writes were not seen.
func (c ReadYourWritesConfig) await(ctx context.Context, tokens []Token) []string {
	if len(tokens) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.MaxWait)
	defer cancel()
	byKind := map[string][]Token{}
	for _, token := range tokens {
		byKind[token.Kind] = append(byKind[token.Kind], token)
	}
	var kinds panics.Group // concurrently, so that a late kind takes no time from the others
	var mu sync.Mutex
	var late []Token
	for kind, tokens := range byKind {
		store := c.Store(kind)
		if store == nil {
			continue
		}
		kinds.Go(func() {
			pending, _ := Await(ctx, store, tokens...) // the read that follows meets the same failure and reports it
			mu.Lock()
			defer mu.Unlock()
			late = append(late, pending...)
		})
	}
	kinds.Wait().Raise(nil, nil)
	var texts []string
	for _, token := range tokens {
		if slices.Contains(late, token) {
			texts = append(texts, token.String())
		}
	}
	return texts
}

// tokensOf returns the tokens of a request, each once.
func tokensOf(r *http.Request) ([]Token, error) {
	texts := r.URL.Query()[TokenParameter]
	for _, field := range r.Header.Values(TokenHeader) {
		for text := range strings.SplitSeq(field, ",") {
			texts = append(texts, strings.TrimSpace(text))
		}
	}
	if len(texts) > limits.MaxTokens {
		return nil, fmt.Errorf("%w: %d tokens, at most %d are allowed", ErrBadToken, len(texts), limits.MaxTokens)
	}
	var tokens []Token
	for _, text := range texts {
		token, err := ParseToken(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(tokens, token) {
			tokens = append(tokens, token)
		}
	}
	return tokens, nil
}
