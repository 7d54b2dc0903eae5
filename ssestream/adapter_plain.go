package ssestream

import (
	"net/http"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// InitialStreamResponse answers the state that the request follows, as watermillhttp.StreamAdapter has it.
// Errors are written by [DefaultErrorHandler].
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

// NextStreamResponse answers the state that the request follows if the message is about it, as
// watermillhttp.StreamAdapter has it. Errors are logged, and nothing is sent for the message.
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

// GetResponse is InitialStreamResponse under the name of the older interface.
func (a *Adapter[E, R]) GetResponse(w http.ResponseWriter, r *http.Request) (response any, ok bool) {
	return a.InitialStreamResponse(w, r)
}

// Validate says whether the message is about the state that the request follows, as the older interface has it.
func (a *Adapter[E, R]) Validate(r *http.Request, msg *message.Message) bool {
	key, err := a.build.RequestKey(r)
	if err != nil {
		a.build.Logger.Error("Message is skipped", err, watermill.LogFields{
			"message_uuid": msg.UUID, "path": r.URL.Path,
		})

		return false
	}

	return a.concerns(msg, key)
}
