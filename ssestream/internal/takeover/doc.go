// Package takeover writes streams to plain HTTP/1.1 connections that it takes from net/http, so that a delivery
// costs little more than its system call and an idle stream little more than its goroutine's stack.
//
// # How a stream goes
//
//	request's goroutine              shard (one goroutine for many connections)
//	───────────────────              ──────────────────────────────────────────
//	Take: Hijack
//	Begin: header, first frame
//	   add to a shard ──────────────▶ wakes by Wake: Next, one write that does not block
//	Serve: reads until the peer             │ the socket is full
//	   goes or the stream ends              ▼
//	   remove from the shard          goroutine of the connection's own: blocking writes
//	                                  with a deadline, until nothing is due; then back
//
// Exactly one of the three writes at any time. The request's goroutine writes before the connection is added to its
// shard, and never afterwards. The shard does not touch a connection whose slow flag is set. The connection's own
// goroutine clears the flag, under the shard's lock, when it gives the connection back. A frame is one write, and
// writes never overlap.
//
// The request's goroutine stays until the stream ends, parked in a read. So whatever surrounds the handler, such as
// a log of requests, sees the request end when it does, and the read detects that the peer has gone. What
// precedes the read runs on a goroutine of its own ([Aside]), for a stack hardly ever shrinks: the parked goroutine
// keeps 4 KB, or 8 KB behind more than one middleware.
//
// Where nothing surrounds the handler ([Alone]) but what only acts before it (ssestream.Before), nobody can see it end. It
// returns, and a new goroutine reads, with a stack of 2 KB. What net/http has for the request is freed. The request's context is
// then the router's own, for that of net/http ends with the handler.
//
// # What is taken over
//
// Only a connection whose http.ResponseWriter is net/http's own and unused: a wrapper of middleware must see what is
// written. The writer's type is not exported, so [Take] looks for it by reflection, with the private fields that
// tell whether the header was written and that hold its buffer. TestNetHTTPIsAsExpected fails where a new version of Go changes
// them; streams would still work, by package response. TLS and HTTP/2 stay with net/http, and so does everything on
// systems without writes that do not block.
//
// # The end
//
// A stream ends by closing its connection, which ends the read: when the peer goes, the request's context ends, the
// source has no more, a write fails, or the router closes. In the last case the shard sends the terms' farewell first
// to all connections that can take it at once, and slow ones send it after the frame under way. http.Server does not
// know of these connections: Shutdown does not wait for them.
package takeover
