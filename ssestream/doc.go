// Package ssestream serves state that messages keep up to date, to any number of browsers, over Server-Sent
// Events.
//
// An [AdapterBuilder] says in functions which state a request follows, which events announce its change, and how
// it is loaded. A [Router] subscribes to the events on any Watermill subscriber and answers HTTP requests: with
// a stream of states where the request accepts text/event-stream, and with the state as JSON otherwise.
//
//	posts, err := ssestream.AdapterBuilder[PostUpdated, Post]{
//		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("id"), nil },
//		EventKeys:  func(e PostUpdated) []string { return []string{e.ID} },
//		Load:       store.Post,
//	}.Build()
//	…
//	router, err := ssestream.NewRouter(ssestream.RouterConfig{UpstreamSubscriber: subscriber}, logger)
//	…
//	mux.Handle("GET /posts/{id}", router.AddHandler("post-updated", posts))
//	go router.Run(ctx)
//
// In the browser:
//
//	new EventSource("/posts/1").addEventListener("data", e => show(JSON.parse(e.data)))
//
// # What a client can rely on
//
// A stream carries states, not changes. A client sees the state as of its connect or later, never goes back to
// an older one, and ends on the last. A client that reads slowly skips states in between, never the last; it
// holds no more than one of them in memory and slows nobody. A state that the client has, by the version in its
// Last-Event-ID or from the stream, is not sent again.
//
// This rests on Load: a load that starts after a change was announced has to see the change, and one load has
// to see no older state than the one before. Announce a change when it is there to be read; read from the
// primary, or from one replica.
//
// Clients with the same key share a room. However many they are, a change costs one load, one encoding and one
// copy of the bytes; changes during a load cost one more load together. A client that joins waits for a load
// that starts after it joined, for the change that it has been told of elsewhere may be in the store while its
// message is still on the way; those that join while a load runs share the next one. Rooms reload when the
// upstream was interrupted, when a message could not be decoded, and every RouterConfig.Resync.
//
// Failed loads are tried again, and meanwhile clients keep what they have. Only a [StatusError] of 400 to 499 is
// told: at connect as a plain HTTP answer, on a stream by its end, after which the browser reconnects and gets
// that answer. A stream that cannot have its state yet is opened nevertheless, for any other status would stop
// an EventSource for good.
//
// # Limits
//
// RouterConfig bounds how many streams there are, in all, for one key, and for one address, how large a state may be,
// and how often a room loads. A stream that is one too many is opened, told when to come back, and ended: a status of
// 503 would stop an EventSource for good. In the same way [Router.Close] ends all streams, and spreads their return.
//
// # On the wire
//
// States are events named "data" with JSON data, whose id is the state's version. Comments keep an idle stream
// alive. A plain GET has the same JSON with the version as a strong ETag and honours If-None-Match.
//
// # Behind middleware
//
// Middleware that wraps the http.ResponseWriter should give its wrapper an Unwrap method, as
// http.ResponseController asks for it. Behind a wrapper that has Flush but no Unwrap streams work, but their
// writes cannot have a deadline: RouterConfig.WriteTimeout is not applied, so a client that stalls holds its
// goroutine until TCP gives up, and the server's own WriteTimeout, if it has one, ends streams. Behind a wrapper
// that has neither, streams are refused with [ErrNoFlush].
//
// # As a drop-in for the stock router
//
// Router takes the place of watermillhttp.SSERouter: the same adapters, configuration fields and methods.
// Adapters that are not an [Adapter] are asked once for every client and message, as there, but in the order
// of the messages and from a bounded queue. What differs:
//
//   - messages reach a client in order; a client that falls too far behind, or whose upstream was
//     interrupted, is disconnected and starts afresh when it reconnects;
//   - no "error" or "EOF" event is sent when a stream ends, which a browser could not tell from failures: it
//     just ends; an "error" event still reports a response of such an adapter that cannot be encoded, or whose event
//     is larger than RouterConfig.MaxFrameBytes;
//   - a stream that is asked for before Run waits for it;
//   - Close leaves the upstream subscriber open, which is yours;
//   - the default error handler answers problem documents (RFC 9457).
package ssestream
