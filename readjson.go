package feedmill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/feedmill/feedmill/ssestream"
)

// ReadJSON decodes the body of a command: one JSON object of at most maxBytes in UTF-8, with no other fields than those of
// T, and with Content-Type application/json. Its errors have a status of 400 to 499 and name the field, for WriteError.
func ReadJSON[T any](w http.ResponseWriter, r *http.Request, maxBytes int64) (body T, err error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return body, refuse(http.StatusUnsupportedMediaType, "Content-Type", "must be application/json")
	}
	sent, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
	if err != nil {
		return body, bodyError(err)
	}
	if !utf8.Valid(sent) { // encoding/json would replace what it cannot read
		return body, refuse(http.StatusBadRequest, "body", "is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(sent))
	decoder.DisallowUnknownFields()
	var object *T
	if err := decoder.Decode(&object); err != nil {
		return body, bodyError(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return body, refuse(http.StatusBadRequest, "body", "has something behind its JSON object")
	}
	if object == nil {
		return body, refuse(http.StatusBadRequest, "body", "must not be a JSON null")
	}
	return *object, nil
}

// bodyError names the field that a body could not be decoded for.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "body", "is larger than %d bytes", tooLarge.Limit)
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return refuse(http.StatusBadRequest, wrongType.Field, "must not be a JSON %s", wrongType.Value)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "body", "did not come in time")
	}
	// encoding/json has no error type for a field that the target does not have.
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, err := strconv.Unquote(quoted); err == nil {
			return refuse(http.StatusBadRequest, name, "is not a field of this request")
		}
	}
	return refuse(http.StatusBadRequest, "body", "is not a JSON object")
}

func refuse(status int, field, format string, args ...any) error {
	return &ssestream.StatusError{Status: status, Err: fmt.Errorf(format, args...), Field: field}
}
