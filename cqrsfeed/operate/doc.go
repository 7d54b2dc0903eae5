// Package operate has the commands of an application for its operators: they rebuild and audit a read model, and list,
// return and discard the parked messages of an outbox. Results are written for people; the errors say what to do.
//
// A [Handler] is the page for operators of a running application.
//
// A rebuild and an audit are explained in package readmodel, parked messages in package outbox.
package operate
