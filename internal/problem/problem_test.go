package problem_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/internal/problem"
)

type statusError struct {
	text   string
	status int
	errors any
}

func (e *statusError) Error() string      { return e.text }
func (e *statusError) HTTPStatus() int    { return e.status }
func (e *statusError) ProblemErrors() any { return e.errors }

func TestDocuments(t *testing.T) {
	t.Parallel()
	errNotFound := &statusError{text: "item not found", status: http.StatusNotFound}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"marked":                {errNotFound, `{"type":"about:blank","title":"Not Found","status":404,"detail":"item not found"}`},
		"context in front":      {fmt.Errorf("store: get item: %w", errNotFound), `{"type":"about:blank","title":"Not Found","status":404,"detail":"item not found"}`},
		"reason behind":         {fmt.Errorf("store: %w: it has 3", errNotFound), `{"type":"about:blank","title":"Not Found","status":404,"detail":"item not found: it has 3"}`},
		"joined":                {errors.Join(errors.New("x"), errNotFound), `{"type":"about:blank","title":"Not Found","status":404,"detail":"item not found"}`},
		"unmarked":              {errors.New("password"), `{"type":"about:blank","title":"Internal Server Error","status":500}`},
		"late":                  {context.DeadlineExceeded, `{"type":"about:blank","title":"Service Unavailable","status":503}`},
		"too large":             {&http.MaxBytesError{Limit: 3}, `{"type":"about:blank","title":"Request Entity Too Large","status":413,"detail":"http: request body too large"}`},
		"marked as a failure":   {&statusError{text: "password", status: http.StatusBadGateway}, `{"type":"about:blank","title":"Bad Gateway","status":502}`},
		"status out of range":   {&statusError{text: "fine", status: http.StatusOK}, `{"type":"about:blank","title":"Internal Server Error","status":500}`},
		"details":               {&statusError{"bad", 422, []string{"a"}}, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"bad","errors":["a"]}`},
		"details not encodable": {&statusError{"bad", 422, func() {}}, `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"bad"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := httptest.NewRecorder()
			problem.Write(response, test.err)
			require.Equal(t, test.want, response.Body.String())
			assert.Equal(t, problem.StatusOf(test.err), response.Code)
			assert.Equal(t, "application/problem+json", response.Header().Get("Content-Type"))
			assert.Equal(t, "no-store", response.Header().Get("Cache-Control"))
		})
	}
}
