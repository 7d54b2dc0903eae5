package natspubsub

import "errors"

// ErrClosed is returned by a publisher or a subscriber that was closed.
var ErrClosed = errors.New("closed")

// ErrUnknownTopic is returned for a topic that is not among the stream's configured topics. A [outbox.Relay] does
// not park such a message at once but tries it again, so that the relay of a newer release can take it.
var ErrUnknownTopic = errors.New("topic is not one of the stream's")

// ErrInvalidTopic is returned for a topic that cannot be mapped to a subject or a consumer's name: one that
// is empty or too long.
var ErrInvalidTopic = errors.New("invalid topic")

// ErrInvalidUUID is returned by Publish for a message whose UUID cannot be carried in a NATS header.
var ErrInvalidUUID = errors.New("invalid message UUID")

// ErrTooLarge is returned by Publish for a message that is larger than the broker takes: its limit for a message
// (max_payload, 1 MiB unless configured) or the stream's. Publishing it again fails again, until somebody raises the
// limit. Of a batch, the error of Publish names the message; each of the others may be stored or not. The client
// library's nats.ErrMaxPayload is wrapped as well where it was the one to refuse.
var ErrTooLarge = errors.New("message is larger than the broker takes")

// ErrNoStream is returned where the broker has no stream that takes the topic, usually because
// [Stream.Ensure] was not called, or for lack of JetStream on the server.
var ErrNoStream = errors.New("no stream takes the topic")

// ErrStreamConflict is returned by [Stream.Ensure] when a stream of that name exists and cannot become what
// is configured, or when another stream has taken one of its subjects.
var ErrStreamConflict = errors.New("an existing stream conflicts with the configuration")
