// Package ssestream serves state that messages keep up to date, to any number of browsers, over Server-Sent
// Events.
//
// An [AdapterBuilder] says in functions which state a request follows, which events announce its change, and how
// it is loaded. A [Router] subscribes to the events on any Watermill subscriber, or is told of them by [Router.Publish],
// and answers HTTP requests: with
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
// # Many streams on one connection
//
// A browser has six HTTP/1.1 connections to a host, for all its windows. [Router.AddStreamsHandler] serves several
// resources on one of them, each as events of its own name, and resumes all of them by one event ID. The package
// @feedmill/streams in the folder clients/typescript is a client for it.
//
// # On the wire
//
// States are events named "data" with JSON data, whose id is the state's version. Comments keep an idle stream
// alive. A plain GET has the same JSON with the version as a strong ETag and honours If-None-Match.
//
// # Writing
//
// A plain HTTP/1.1 connection on TCP is taken over from net/http when the stream of an [Adapter] begins. The request's goroutine
// stays until the stream ends, as middleware expects, but a few goroutines do the writing for all, and never
// wait for a peer: one that cannot take a frame at once is given a goroutine of its own until it
// has caught up, or until RouterConfig.WriteTimeout is over and it is disconnected. Such a response ends with its
// connection. On HTTP/2, on TLS, and behind middleware that wraps the http.ResponseWriter, the request's goroutine
// writes, as it does for other adapters. A frame is one write in any case.
//
// http.Server.Shutdown does not know of connections that were taken over, and waits for the streams on the others:
// call [Router.Close] before it, or have it called by http.Server.RegisterOnShutdown. Close tells every client to
// come back at a random time within RouterConfig.DrainWindow, to whoever serves then.
//
// # Limits
//
// RouterConfig bounds the streams in all, by key and by client address, the size of a frame, and how often a room
// loads. A stream that is over a limit is answered with status 200, told when to come back, and ended: any other
// status would stop an EventSource for good. Who is too slow holds the state that is being written to it, and no
// other.
//
// # Metrics and traces
//
// The router counts what [Stats] has, and tells OpenTelemetry the same, without attributes; several routers of one
// MeterProvider add up:
//
//   - ssestream.clients, ssestream.rooms: what is open now;
//   - ssestream.loads, ssestream.load.errors, ssestream.frames, ssestream.io (bytes), ssestream.states.skipped,
//     ssestream.clients.slow, ssestream.clients.refused, ssestream.clients.dropped: what there has been, from Run on;
//   - ssestream.load.duration, ssestream.delivery.duration: histograms in seconds, of loads, and of the time from a
//     message to the write of the state that it announced, for every client.
//
// Counters stay when the router has closed, for the last export. Where a message's metadata carries a sampled trace, the load that
// it causes is a span below it, and the writes of the state are spans below that: one for all connections that a
// writing goroutine serves in a row, one for each other connection.
//
// # Behind middleware
//
// Middleware that wraps the http.ResponseWriter should give its wrapper an Unwrap method, as
// http.ResponseController asks for it. Behind a wrapper that has Flush but no Unwrap streams work, but their
// writes cannot have a deadline: RouterConfig.WriteTimeout is not applied, so a client that stalls holds its
// goroutine until TCP gives up, and the server's own WriteTimeout, if it has one, ends streams. Behind a wrapper
// that has neither, streams are refused with [ErrNoFlush].
//
// # Across origins
//
// CORS is left to middleware around the handler, such as [github.com/rs/cors]. It has to allow the origin of the
// page, and the header Last-Event-ID, for which a browser may ask by a preflight when a stream reconnects:
//
//	allow := cors.New(cors.Options{
//		AllowedOrigins: []string{"https://app.example.com"},
//		AllowedHeaders: []string{"Last-Event-ID"},
//	})
//	mux.Handle("/posts/{id}", allow.Handler(router.AddHandler("post-updated", posts)))
//
// The pattern has no method, so that the preflight, which is an OPTIONS request, reaches the middleware. A page
// that is refused has its EventSource closed for good.
//
// # As a drop-in for the stock router
//
// Router takes the place of watermillhttp.SSERouter (watermill-http v2): the same adapters, configuration fields and
// methods. To switch, change these names:
//
//	watermillhttp.NewSSERouter        ssestream.NewRouter
//	watermillhttp.SSERouterConfig     ssestream.RouterConfig
//	watermillhttp.SSERouter           *ssestream.Router, where a variable or field has the type
//
// The rest, such as a Marshaler or an ErrorHandler, may stay watermill-http's.
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
//   - the default error handler answers problem documents (RFC 9457);
//   - streams have heartbeats, a reconnection time and "Vary: Accept", and their Content-Type has no charset, for a
//     stream is UTF-8 in any case.
//
// [github.com/rs/cors]: https://pkg.go.dev/github.com/rs/cors
package ssestream
