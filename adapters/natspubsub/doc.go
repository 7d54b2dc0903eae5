// Package natspubsub is a Watermill Pub/Sub on NATS JetStream with the settings that feeds need: durable
// subscriptions that share the work of projections, and live ones that bring every change to every instance.
//
// A [Stream] is made explicitly, once, and makes the rest:
//
//	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{
//		Name:   "microblog",
//		Topics: []string{"post-created", "post-updated", "post-deleted", "feed-updated", "poison"},
//	}, logger)
//	err = stream.Ensure(ctx)
//	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
//	projections, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "feeds"})
//	pages, err := stream.NewLiveSubscriber(natspubsub.LiveConfig{})
//
// The *nats.Conn is the caller's and outlives all of these; nothing here opens, drains or closes it.
//
// # Delivery
//
// Publish returns nil when the broker has stored every message, on as many servers as the stream has replicas.
// Within the duplicate window a message that is published again is not stored again: the same UUID in the same
// topic. So a relay that died between publishing and deleting repeats itself without effect, as long as it is
// back within the window.
//
// A [DurableSubscriber] delivers at least once: it brings a message again after a Nack, after the death of the
// process, and when an acknowledgement was lost on its way. What handles messages has to be idempotent. Work
// on a message may take as long as it needs, for the broker is told that it goes on; this covers everything
// that was fetched, also what waits behind the message that is being worked on.
//
// A [LiveSubscriber] delivers what is published after Subscribe returned, to every subscription, and bridges
// interruptions from the stream. When messages may have been missed all the same, it closes its channel.
//
// # Order
//
// A publisher's messages of one call are stored in the order of the call. A live subscription has the order of
// the stream. A durable one hands out messages in that order but does not wait for acknowledgements in between,
// and what comes again comes late; with MaxInFlight and MaxAckPending of 1 it is strict, and slow.
//
// # Networks that forget connections
//
// A firewall or a balancer may forget a connection without telling either end. The client library finds out when
// nats.MaxPingsOutstanding signs of life are missing (2) and the next one is due: within three times nats.PingInterval,
// which by default is six minutes. Then it connects anew, trying every nats.ReconnectWait (2 seconds). Nothing in this
// package can do so, as the connection is the caller's. Meanwhile the relay's messages wait in the outbox, and
//   - what a live subscription delivers is late by that long, and by up to ten seconds when it had noticed the silence
//     and is asking the broker for its state just then;
//   - what a durable one delivers is late by AckWait beyond that (30 seconds), if the broker has sent it on the old
//     connection. It may do so for 30 seconds, as requests for messages live for that long: at worst a message is late
//     by the longer of these 30 seconds and the time to the new connection, and AckWait.
//
// So an application should connect with nats.PingInterval(3*time.Second), nats.FlusherTimeout(3*time.Second),
// nats.ReconnectWait(250*time.Millisecond) and nats.MaxReconnects(-1), as examples/microblog/stack does: the connection
// is back within ten seconds, and with the default AckWait no message is late by much more than a minute.
//
// # Wire form
//
// Messages are those of watermill-nats' NATSMarshaler: payload as data, metadata and UUID as headers, under the
// subject that [Stream.Subject] tells. So users of watermill-nats can read and write them. Metadata that a NATS
// header cannot carry, such as values with line breaks, travel encoded in one header of our own.
//
// # Traps
//
// These are ways to lose or delay messages on JetStream which this package avoids:
//   - The broker deduplicates by stream, not by topic. With a bare UUID as message ID a message that goes on to
//     another topic of the stream, to a poison topic for example, is acknowledged and silently dropped.
//   - The deadline of a message begins when the broker sends it, not when its handler begins. Clients that fetch
//     ahead let messages expire in their own buffers, so that a slow handler causes deliveries to others.
//   - A client's "new only" consumer that is made again after a reconnect begins at the new end of the stream,
//     and what was published in between is gone without a sign.
//   - Retrying a publish that found no stream, as client libraries do, puts it behind its successors.
//   - A message without data and with a header named Status is taken by the client library for the broker's own.
//   - A consumer without a durable name is forgotten seconds after its last subscriber, with what it had to do.
//   - A queue of one message at a time cannot be worked on in batches.
//
// And these remain, for those who run the broker:
//   - The limits of the stream (MaxAge, MaxBytes) drop old messages whether they were read or not, and the relay's
//     outbox does not have them any more. A durable subscription that comes back logs how many it has lost at most,
//     other topics' included; the projection then has to be rebuilt.
//   - A stream that was deleted and made again, or that has lost its end in a power failure, gives sequences out
//     anew. A durable subscription tells the new messages from the old ones by their time. What is being worked on of
//     the old ones is forgotten: its context ends, and its acknowledgement means nothing.
//   - A single server writes to disk without forcing it there at once; after a power failure the last messages
//     that it acknowledged may be gone. Use three replicas, or sync_interval: always in the server's
//     configuration.
//   - A stream in memory on a single server ends with the server.
//   - Durable consumers stay at the broker until someone deletes them, also when their name is no longer used.
//   - A stream with Replicas of 3 takes a cluster of at least three servers; its durable consumers are on three then
//     too. The URL of the connection should name several of them, so that it can be made while one is away.
package natspubsub
