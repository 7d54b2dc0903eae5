// Package feedmill runs applications whose pages update themselves, on top of Watermill.
//
// An application writes to its database and adds an event to an outbox in the same transaction. An [App] publishes the
// outbox, builds read models from the events, and streams them to browsers over Server-Sent Events, so that open pages update
// themselves. The example is a whole program. [App.Handle] has one for tables of the application's own.
//
// One process needs nothing else. With a [Broker] the application can have any number of instances.
//
// # Packages
//
//   - [github.com/feedmill/feedmill/cqrsfeed]: items and their events, repositories, feeds and tokens, with the packages
//     outbox (relay, parked messages), projector (projections), readmodel (rebuild and audit), operate (commands for
//     operators), driver (for authors of stores) and cqrsfeedtest (conformance suites) below it
//   - [github.com/feedmill/feedmill/ssestream]: the router that serves streams, a drop-in for watermill-http's SSERouter
//   - adapters/mysqlstore, adapters/postgresstore, adapters/sqlitestore, adapters/mongostore, adapters/natspubsub: databases and a broker
//
// cqrsfeed and ssestream do not import each other, and each can be used without the other. Both use Watermill's messages.
package feedmill
