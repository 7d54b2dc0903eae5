// Package outbox publishes messages that were committed together with the rows they tell of.
//
// A store's [Outbox] is a queue of such messages. A [Relay] hands them to any Watermill publisher, at least once, and
// deletes only what was acknowledged. Messages that are refused for good are parked, and [Operations] is how an
// operator lists, returns and discards them.
package outbox
