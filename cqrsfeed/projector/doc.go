// Package projector keeps read models up to date. A [Projector] gathers messages into batches, has a [Projection] apply
// them, publishes the updates that the projection returns, and acknowledges the messages only then.
//
// # In one process, or behind a broker
//
// A Projector is a message.Publisher: a relay publishes straight into it, see [Projector.Publish]. Retries, waiting and
// what becomes of refused messages are the relay's. With a Subscriber, [Projector.Run] reads a broker's topics, and the
// projector does all of that itself. Any number of projectors, in one process or many, may share one subscription's
// messages. Several projections on the same topics have a subscription each.
//
// # Batches
//
// A message that comes alone is applied at once. What comes while a batch is applied is the next batch, as far as the
// subscriber lets several messages be unacknowledged at once. For a subscriber that does not, see Config.Subscriptions.
//
// # Messages that cannot be applied
//
// A message that the projection refuses, by a cqrsfeed.RefusedError, goes to the poison topic at once. Any other failure
// holds up no other message: those that failed are tried again between the batches that follow, together and then each
// alone. A failure alone counts if another message was applied since the message's failure before. After MaxAttempts such
// failures it goes to the poison topic too. While nothing is applied, because the store or the broker is away, nothing
// counts, and a worker stops reading once as many messages as a batch has have failed (10 at least).
//
// A message that fails on a silent system is tried until another one comes. A restart forgets the failures.
// docs/poison.md says how to watch the poison topic and how to replay it.
//
// # Metrics
//
// The attribute cqrsfeed.projector of each is the projector's Name:
//
//   - cqrsfeed.projector.batch.size: messages of a batch that was applied
//   - cqrsfeed.projector.apply.duration: seconds that an attempt of the projection took, failed or not
//   - cqrsfeed.projector.lag: seconds from an event to the publication of its updates, see Config.EventTime
//   - cqrsfeed.projector.failures: attempts to apply a batch that failed
//   - cqrsfeed.projector.poison: messages published to the poison topic
//   - cqrsfeed.projector.updates.refused: updates left out because the publisher refuses them
//   - cqrsfeed.projector.dropped: messages acknowledged although the poison topic refuses them too; the log has them
//   - cqrsfeed.projector.backlog: messages not yet acknowledged, as a Subscriber that is a Backlogger counts them, else
//     those that were delivered to this process; only while Run reads a Subscriber
//
// # Traces
//
// An attempt has a span if a message of its batch carries a sampled trace context (W3C's traceparent, which outboxes
// write). The span is a child of the first such message's and links to the others. Updates carry the trace on.
package projector
