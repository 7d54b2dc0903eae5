// Package feedmill runs applications whose pages update themselves, on top of Watermill.
//
// An application writes to its database and puts an event into an outbox in the same transaction. An [App] publishes the
// outbox, keeps read models from the events, and serves them to browsers over Server-Sent Events, so that every open page
// follows. The example is a whole one; [App.Handle] has one for tables of the application's own.
//
// In one process nothing else is needed. With a [Broker] the application has any number of instances.
//
// # Packages
//
//   - [github.com/feedmill/feedmill/cqrsfeed]: items and their events, repositories, feeds and tokens, with the packages
//     outbox (relay, parked messages), projector (projections), readmodel (rebuild and audit), operate (commands for
//     operators), driver (for authors of stores) and cqrsfeedtest (conformance suites) below it
//   - [github.com/feedmill/feedmill/ssestream]: the router that serves streams, a drop-in for watermill-http's SSERouter
//   - adapters/mysqlstore, adapters/sqlitestore, adapters/mongostore, adapters/natspubsub: databases and a broker
//
// cqrsfeed and ssestream do not know each other, and each is of use without the other: Watermill's messages are what they
// have in common.
package feedmill
