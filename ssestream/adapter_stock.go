package ssestream

import (
	"net/http"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// InitialStreamResponse implements watermillhttp.StreamAdapter. It returns the state that the request follows, or
// answers the error by [DefaultErrorHandler].
func (a *Adapter[E, R]) InitialStreamResponse(w http.ResponseWriter, r *http.Request) (response any, ok bool) {
	key, _, err := a.admit(r)
	if err == nil {
		response, err = a.build.Load(r.Context(), key)
	}
	if err != nil {
		a.build.Logger.Error("Request failed", err, watermill.LogFields{"path": r.URL.Path})
		DefaultErrorHandler(w, r, err)

		return nil, false
	}

	return response, true
}

// NextStreamResponse implements watermillhttp.StreamAdapter. It returns the state that the request follows if the
// message is about it. Errors are logged, and nothing is sent for the message.
func (a *Adapter[E, R]) NextStreamResponse(r *http.Request, msg *message.Message) (response any, ok bool) {
	key, err := a.build.RequestKey(r)
	if err == nil {
		if !a.concerns(msg, key) {
			return nil, false
		}
		response, err = a.build.Load(r.Context(), key)
	}
	if err != nil {
		a.build.Logger.Error("Message is skipped", err, watermill.LogFields{
			"message_uuid": msg.UUID, "path": r.URL.Path,
		})

		return nil, false
	}

	return response, true
}
