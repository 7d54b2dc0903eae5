// Package ssestream serves state that messages keep up to date, to any number of browsers, over Server-Sent
// Events.
//
// An [AdapterBuilder] says, in functions, which state a request follows, which events announce its change, and how
// it is loaded. A [Router] receives the events, from any Watermill subscriber or by [Router.Publish]. It responds with a
// stream of states if the request accepts text/event-stream, and with the state as JSON otherwise.
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
// A stream carries states, not changes. A client sees the state as of its connect or later, never an older one
// after a newer one, and always the last. A client that reads slowly skips states in between; it holds at most one
// of them in memory and slows nobody. A state that the client has, by its Last-Event-ID, is not sent again.
//
// This requires two things. A load that starts after a change was announced must see the change: announce a change
// when it can be read. And no load may see an older state than the load before: read from the primary, or from one
// replica.
//
// Clients with the same key share a room. However many they are, a change costs one load, one encoding and one copy
// of the bytes. Changes during a load cost one more load together. Clients that join within 10ms share a load. Rooms
// reload when the upstream was interrupted, when a message could not be decoded, and every RouterConfig.Resync.
//
// Failed loads are retried, and clients keep what they have meanwhile. An event named "problem" tells them if no load
// succeeds for long, or if the state cannot be encoded or is too large. They are sent the state as soon as there is one.
//
// A [StatusError] of 400 to 499 is the response to a request that it comes for. It ends a stream that is open; the browser
// reconnects and gets that response. After any other error a stream opens nevertheless, and waits for its state: an error
// status would stop an EventSource for good.
//
// # On the wire
//
// States are events named "data" with JSON data. Their ID is a hash of the key and of what is sent. Comments keep an idle
// stream alive. A plain GET has the same JSON with a strong ETag and honours If-None-Match. A browser has six
// HTTP/1.1 connections to a host; [Router.AddStreamsHandler] serves several streams on one of them, and the package
// @feedmill/streams in clients/typescript is a client for it.
//
// Of a text that grows, such as a log, AdapterBuilder.Append sends only what is new.
//
// AdapterBuilder.Compress compresses states once for all clients, each with the state before as the dictionary.
//
// States may also be HTML, for htmx, Turbo, Datastar and others: see AdapterBuilder.Render and [Adapter.HTML].
//
// The guide docs/streams.md has the rest: shutdown, limits, middleware, CORS, metrics, and how to replace
// watermillhttp.SSERouter.
package ssestream
