package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// maxBody is the largest request body, in bytes.
const maxBody = 64 << 10

// decodeBody reads a JSON object with no other fields than those of B.
func decodeBody[B any](w http.ResponseWriter, r *http.Request) (B, error) {
	var none B
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return none, refuse(http.StatusUnsupportedMediaType, "Content-Type", "must be application/json")
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	var object *B
	if err := decoder.Decode(&object); err != nil {
		return none, bodyError(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return none, bodyError(err)
		}
		return none, refuse(http.StatusBadRequest, "body", "has something behind its JSON object")
	}
	if object == nil {
		return none, refuse(http.StatusBadRequest, "body", "must not be a JSON null")
	}
	return *object, nil
}

// bodyError translates what the decoder says into a refusal that names the field.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "body", "is larger than %d bytes", tooLarge.Limit)
	case errors.As(err, &wrongType):
		field := wrongType.Field
		if field == "" {
			field = "body"
		}
		return refuse(http.StatusBadRequest, field, "must not be a JSON %s", wrongType.Value)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "body", "did not come in time")
	case errors.Is(err, io.EOF):
		return refuse(http.StatusBadRequest, "body", "is empty")
	}
	// encoding/json has no error type for a field that the target does not have.
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, err := strconv.Unquote(quoted); err == nil {
			return refuse(http.StatusBadRequest, name, "is not a field of this request")
		}
	}
	return refuse(http.StatusBadRequest, "body", "is not valid JSON")
}
