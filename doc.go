// Package feedmill is the map of a library for applications whose pages update themselves, on top of Watermill.
// It has no code of its own; import the packages that you need:
//
//   - [github.com/feedmill/feedmill/cqrsfeed] is what happens before the browser: a write model whose changes publish
//     events without losing any (Repository, Outbox, Relay), and projections that keep read models from those events
//     (Projector, TagFeeds, FeedStore). Its package cqrsfeedtest has the suites that every store passes.
//   - [github.com/feedmill/feedmill/ssestream] is what happens towards the browser: a drop-in for watermill-http's
//     SSERouter that loads and encodes a changed state once, however many clients follow it, and brings every client to
//     the last state. Its package ssestreamtest has a client for tests.
//   - adapters/mysqlstore, adapters/sqlitestore, adapters/mongostore and adapters/natspubsub connect the two to databases
//     and to a broker.
//   - examples/notes is the smallest application made of them, on one page; examples/microblog, a module of its own, is a
//     complete one.
//
// cqrsfeed and ssestream do not know each other: Watermill's messages are what they have in common, and each is of use
// without the other.
package feedmill
