// Package ssestreamtest is for tests of handlers that answer with Server-Sent Events, Feedmill's or any other. What a
// test sees is what a browser's EventSource would see, by the letter of the WHATWG HTML standard, section 9.2
// "Server-sent events".
//
// From the smallest to the largest:
//
//   - [Reader] parses a stream of bytes, by sections 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event
//     stream". It is for what a handler has written, say into an httptest.ResponseRecorder.
//   - [Connect] opens one connection, a [Stream]. It is for what comes on a connection and how that ends, and for
//     answers that are no streams.
//   - [Open] makes an [EventSource], which reconnects by section 9.2.3 "Processing model", with the Last-Event-ID
//     header of section 9.2.4 and the ready states of section 9.2.2. It is for what a client has in the end, across
//     failures and restarts, and for what a server says to those who come again.
//   - [Record] has a [Recorder] follow either in the background. It is for tests with many clients, and for those
//     that wait until something has come while they do other things.
//   - [StartProxy] puts a [Proxy] between clients and the server that cuts, stalls, slows down and refuses
//     connections. It is for all of the above on a bad network.
//
// Stream and EventSource read no faster than Next is called, so that a test which does not call it is a client that
// stalls. A recorder always reads; to have a recorded client stall, stall the proxy before it.
//
// The clients run in a testing/synctest bubble, where the waits between connections take no time, if the connections
// of the http.Client's transport are made in it, for example of net.Pipe. A proxy has real connections and does not.
//
// What a browser does beyond the stream is left out: CORS, credentials, and the limit of six connections to a host by
// HTTP/1.1.
package ssestreamtest
