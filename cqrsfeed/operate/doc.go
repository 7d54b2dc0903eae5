// Package operate has the bodies of an application's commands for operators: they rebuild and audit a read model, and list,
// return and discard the parked messages of an outbox. Results are written for people; the errors say what to do.
package operate
