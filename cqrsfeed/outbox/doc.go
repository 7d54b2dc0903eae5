// Package outbox publishes messages that were committed together with the rows that they describe.
//
// A store's [Outbox] is a queue of such messages. A [Relay] gives them to any Watermill publisher, at least once, and
// deletes only what was acknowledged. Messages that can never be published are parked; an operator lists, returns and
// discards them with [Operations].
package outbox
