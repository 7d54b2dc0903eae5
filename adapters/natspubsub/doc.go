// Package natspubsub is a Watermill Pub/Sub on NATS JetStream. Durable subscribers share the work of projections;
// live subscribers bring every message to every instance.
//
//	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "microblog"}, logger)
//	err = stream.Ensure(ctx) // creates the stream at the broker, or updates it
//	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
//	projections, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "feeds"})
//	pages := stream.NewLiveSubscriber()
//
// The *nats.Conn belongs to the caller and must outlive all of these. Nothing here opens, drains or closes it.
//
// # Delivery
//
// Publish returns nil when the broker has stored every message, on as many servers as the stream has replicas.
// Within the stream's duplicate window, a message with the same UUID and topic is stored once. So a relay that died
// between publishing and deleting can publish again without effect.
//
// A [DurableSubscriber] delivers at least once. A message is delivered again after a Nack, after the death of the
// process, and after a lost acknowledgement; handlers must be idempotent. A handler may take as long as it needs:
// the deadlines of all messages that a subscription holds are extended while it runs.
//
// A [LiveSubscriber] delivers what is published after Subscribe has returned, to every subscription. It resumes
// from the stream after an interruption. Its channel is closed when messages may have been missed.
//
// # Order
//
// The messages of one call of Publish are stored in the order of the call. A live subscription delivers in the order
// of the stream. A durable one hands out messages in that order, without waiting for acknowledgements in between, and
// redelivers later. With MaxInFlight and MaxAckPending of 1 its order is strict.
//
// # Retention
//
// The limits of the stream (MaxAge, MaxBytes) discard old messages whether they were read or not, and the outbox no
// longer has them. A durable subscription that resumes logs an error when messages may have been discarded unread.
//
// # Connection
//
// Nothing here limits how long a dead connection goes unnoticed; nats.go does, with defaults that add up to six
// minutes. Connect with nats.MaxReconnects(-1), nats.PingInterval(3*time.Second), nats.FlusherTimeout(3*time.Second)
// and nats.ReconnectWait(250*time.Millisecond): then a connection is replaced within ten seconds. Messages that the
// broker had sent on the dead connection are delivered again after AckWait. Name several servers of a cluster in the URL.
//
// # Wire form
//
// Messages have the form of watermill-nats' NATSMarshaler: the payload is the data, the UUID and the metadata are
// headers, and the subject is that of [Stream.Subject]. Metadata that a NATS header cannot carry, such as a value
// with line breaks, is encoded in a header of this package.
//
// docs/nats.md in the repository describes how to operate the stream.
package natspubsub
