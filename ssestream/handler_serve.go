package ssestream

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// formHandler serves one form of a handler's states.
type formHandler struct {
	*handler

	form  *form
	place int // among the handler's forms
}

// prepare prepares the stream of the request's key. It reports false where it has answered the request.
func (h formHandler) prepare(w http.ResponseWriter, v *visit) bool {
	r := v.request
	key, expires, err := h.adapter.admit(r)
	switch {
	case err != nil && !final(err):
		h.router.logger.Error("Stream is put off", err, watermill.LogFields{"path": r.URL.Path})
		h.router.turnAway(w, r, "not now")

		return false
	case err != nil:
		h.router.fail(w, r, err)

		return false
	}
	if !h.router.admit(w, v) {
		return false
	}
	v.client, v.again, v.expires, v.waits = room.NewClient(r.Header.Get("Last-Event-ID")), h.handler, expires, true
	v.compress = h.compress
	if !h.rooms.Join(v.client, key, "", h.place) {
		v.end()
		h.router.refuse(w, r)

		return false
	}

	return true
}

// authorized reports whether the client of the visit may go on with it.
func (h *handler) authorized(v *visit) bool {
	key, expires, err := h.admitAgain(v.request)

	return err == nil && v.client.Follows(key) && v.until(expires)
}

// admitAgain is admit outside of a request's goroutine.
func (h *handler) admitAgain(r *http.Request) (key string, expires time.Time, err error) {
	defer recovered(&err, "authorize again")

	return h.adapter.admit(r)
}

// serveState responds to a plain request with the state, or with 304 if the client has it.
func (h formHandler) serveState(w http.ResponseWriter, r *http.Request) {
	key, _, err := h.adapter.admit(r)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	a, err := h.loadOnce(r.Context(), key, h.renders && wantsHTML(r, h.form))
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	response.SetShared(w.Header())
	w.Header().Set("ETag", `"`+a.tag+`"`)
	if wire.NoneMatches(r.Header.Values("If-None-Match"), a.tag) {
		w.WriteHeader(http.StatusNotModified)

		return
	}
	a.write(w, r)
}

// answer is what a plain request is answered with.
type answer struct {
	mediaType string
	body      []byte
	tag       string // of the entity
}

// answer loads a key's state and encodes it.
func (h *handler) answer(ctx context.Context, key string, html bool) (a answer, err error) {
	state, err := h.load(ctx, key)
	if err != nil {
		return answer{}, err
	}
	defer recovered(&err, "encode state")
	if html {
		a.mediaType = htmlType + "; charset=utf-8"
		a.body, err = h.adapter.rendered(ctx, state)
	} else {
		a.mediaType = jsonType
		a.body, err = encodeJSON(state)
	}
	if err != nil {
		return answer{}, fmt.Errorf("load %q: %w", key, err)
	}
	a.tag = wire.EntityTag(h.adapter.version(state), wire.Stamp(a.body, key, a.mediaType))

	return a, nil
}

// write sends the answer.
func (a answer) write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", a.mediaType)
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // The peer may be gone.
	}
}
