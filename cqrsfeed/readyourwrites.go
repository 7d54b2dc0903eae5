package cqrsfeed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/feedmill/feedmill/internal/config"
)

// How tokens travel by HTTP.
const (
	// TokenHeader has the token of a write in the answer to a command, see [SetToken], and those that a read is to
	// wait for in its request, separated by commas or in several fields.
	TokenHeader = "Feedmill-Token"
	// TokenParameter takes the place of TokenHeader in the query of a request, once for each token: an EventSource
	// sends no headers of one's own.
	TokenParameter = "feedmill_token"
	// PendingHeader is in the answer of a read that did not wait long enough. It has the tokens whose writes the
	// answer may lack.
	PendingHeader = "Feedmill-Pending"
	// MaxTokens is how many tokens a request may have.
	MaxTokens = 16
)

// SetToken gives the answer to a command the token of what it wrote, for reads to wait for.
func SetToken(header http.Header, token Token) { header.Set(TokenHeader, token.String()) }

// ReadYourWritesConfig configures the middleware that [NewReadYourWrites] makes.
type ReadYourWritesConfig struct {
	// Store is what the reads behind the middleware read. Required.
	Store ItemVersions
	// MaxWait is how long a request waits at most, whatever tokens it has. Defaults to 2 seconds.
	MaxWait time.Duration
	// ErrorHandler answers a request whose tokens cannot be read; the error wraps ErrBadToken.
	// Defaults to a problem document (RFC 9457) of status 400.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// Validate joins what is wrong with the configuration.
func (c ReadYourWritesConfig) Validate() error {
	var problems []error
	if c.Store == nil {
		problems = append(problems, errors.New("no Store"))
	}
	if c.MaxWait < 0 {
		problems = append(problems, fmt.Errorf("MaxWait is %s, it must be positive", c.MaxWait))
	}
	return errors.Join(problems...)
}

// NewReadYourWrites makes middleware for reads, plain ones and streams: a request that carries tokens (see
// [TokenHeader] and [TokenParameter]) goes on when their writes are in the read model, one without goes on at
// once. The http.ResponseWriter is passed on as it is.
//
// After MaxWait, or when the store fails, it goes on all the same and is answered with what is there: a read that
// is late is of more use than none, a stream shows the write when it comes, and any other status would stop an
// EventSource for good. The answer then names in [PendingHeader] what it may lack. Only tokens that cannot be
// read, or more than [MaxTokens] of them, are refused.
//
// Across origins a page reads and sends the headers only if CORS allows it (Access-Control-Expose-Headers and
// Access-Control-Allow-Headers); the query parameter needs neither.
func NewReadYourWrites(c ReadYourWritesConfig) (func(http.Handler) http.Handler, error) {
	config.Default(&c.MaxWait, 2*time.Second)
	if c.ErrorHandler == nil {
		c.ErrorHandler = refuseToken
	}
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

// await returns those of the tokens whose writes were not seen, as they are written.
func (c ReadYourWritesConfig) await(ctx context.Context, tokens []Token) []string {
	ctx, cancel := context.WithTimeout(ctx, c.MaxWait)
	defer cancel()
	pending, _ := Await(ctx, c.Store, tokens...) // the read that follows meets what failed, and says so
	texts := make([]string, len(pending))
	for i, token := range pending {
		texts[i] = token.String()
	}
	return texts
}

// tokensOf reads the request's tokens, each once.
func tokensOf(r *http.Request) ([]Token, error) {
	texts := r.URL.Query()[TokenParameter]
	for _, field := range r.Header.Values(TokenHeader) {
		for text := range strings.SplitSeq(field, ",") {
			texts = append(texts, strings.TrimSpace(text))
		}
	}
	if len(texts) > MaxTokens {
		return nil, fmt.Errorf("%w: %d tokens, at most %d are allowed", ErrBadToken, len(texts), MaxTokens)
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

// refuseToken is the default ErrorHandler.
func refuseToken(w http.ResponseWriter, _ *http.Request, err error) {
	document, _ := json.Marshal(map[string]any{ // strings and numbers always encode
		"type": "about:blank", "title": http.StatusText(http.StatusBadRequest), "status": http.StatusBadRequest, "detail": err.Error(),
	})
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(document) // a client that went away needs no answer
}
