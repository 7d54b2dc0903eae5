// Package ssestreamtest tests handlers that send Server-Sent Events, Feedmill's or any other. Its clients behave as the
// WHATWG HTML standard requires of a browser's EventSource (section 9.2 "Server-sent events").
//
// From the smallest part to the largest:
//
//   - [Reader] parses a stream of bytes. Use it for the bytes that a handler wrote, for example to an
//     httptest.ResponseRecorder.
//   - [Connect] opens one connection, a [Stream]. Use it to test the events of a connection, its end, and
//     responses that are not streams.
//   - [Open] returns an [EventSource], which reconnects. Use it to test what a client has after failures and
//     restarts.
//   - [Record] returns a [Recorder] that follows either of them in the background. Use it for many clients, and for
//     tests that do other things while they wait.
//   - [StartProxy] puts a [Proxy] between clients and server that cuts, stalls and refuses connections.
//
// Stream and EventSource read only as fast as Next is called: a test that does not call it is a stalled client. A
// recorder always reads; to stall a recorded client, stall the proxy in front of it.
//
// The clients work in a testing/synctest bubble if the connections of the http.Client's transport are made in it, for
// example by net.Pipe. A proxy has real connections and must stay outside.
//
// CORS, credentials, and the browser's limit of six HTTP/1.1 connections to a host are left out.
package ssestreamtest
