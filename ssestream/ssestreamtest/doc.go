// Package ssestreamtest reads event streams in Go tests, by the letter of the WHATWG HTML standard (sections
// 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream"), so that what a test sees is what an
// EventSource would see. It serves tests of any handler that answers with Server-Sent Events.
package ssestreamtest
