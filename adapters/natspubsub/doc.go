// Package natspubsub is a Watermill Pub/Sub on NATS JetStream. Durable subscribers share the work of projections. Live
// subscribers deliver every message to every instance.
//
//	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "microblog"}, logger)
//	err = stream.Ensure(ctx) // creates the stream at the broker, or updates it
//	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
//	projections, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "feeds"})
//	pages := stream.NewLiveSubscriber()
//
// The *nats.Conn belongs to the caller and must outlive all of these. The package never opens, drains or closes it.
//
// # Delivery
//
// Publish returns nil when the broker has stored every message, on as many servers as the stream has replicas. Within
// the stream's duplicate window, a message with the same UUID and topic is stored once. A relay that died between
// publishing and deleting can therefore publish again without effect.
//
// A [DurableSubscriber] delivers at least once. A message is redelivered after a Nack, after the death of the process,
// and after it or its acknowledgement was lost with a connection or a server. Handlers must be idempotent. A message that
// is still being handled when the broker returns from a restart is not repeated. A handler may take any time: the
// deadlines of all messages that a subscription holds are extended while it runs.
//
// A [LiveSubscriber] delivers the messages that are published after Subscribe has returned, to every subscription. It
// resumes from the stream after an interruption. Its channel is closed when messages may have been missed.
//
// # Order
//
// The messages of one call of Publish are stored in the order of the call. A message that failed, for example because a
// node of the cluster was lost, is stored after the others when it is published again. A live subscription delivers in
// the order of the stream, without repeats, through restarts of servers. A durable subscription hands out messages in
// that order, without waiting for acknowledgements in between. It redelivers later. With MaxInFlight and MaxAckPending
// of 1 its order is strict.
//
// # Retention
//
// A message stays in the stream until all durable consumers of its topic have acknowledged it. A topic with MaxMessages
// unacknowledged messages takes no more: Publish returns [ErrStreamFull], and messages wait in the outbox. Other topics
// are not affected. The same holds for a topic without subscriptions. A topic that only live subscriptions read keeps
// its newest messages, and so do updates of projections that are not read. The publisher removes messages that are no
// longer needed. It logs a topic that is three quarters full, and whose messages fill it.
//
// A new durable subscriber therefore gets the messages that others have not acknowledged, and perhaps more. It does not
// get the past: rebuild the read model of a new projection.
//
// # Connection
//
// This package does not limit how long a dead connection stays unnoticed. The defaults of nats.go add up to six
// minutes. Connect with [ConnectOptions]: a dead connection is then replaced within ten seconds. Messages that the broker
// had sent on the dead connection are redelivered after AckWait. Name several servers of a cluster in the URL.
//
// # Wire form
//
// A message has the form of watermill-nats' NATSMarshaler. The payload is the data. The UUID and the metadata are
// headers. The subject is that of [Stream.Subject]. Some metadata cannot be a NATS header: values with line breaks, and
// names that NATS uses, such as "Nats-TTL". A header of this package contains these, encoded.
//
// docs/nats.md in the repository describes how to operate the stream.
package natspubsub
