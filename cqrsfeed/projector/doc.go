// Package projector keeps read models up to date. A [Projector] gathers messages into batches, has a [Projection] apply
// them, publishes the updates that the projection returns, and acknowledges the messages only then.
//
// # In one process, or behind a broker
//
// A Projector is a message.Publisher: a relay publishes straight into it, see [Projector.Publish]. The relay then waits,
// retries and parks what is refused. With a Subscriber, [Projector.Run] reads a broker's topics, and the projector does
// these itself. Any number of projectors, in one process or many, may share one subscription's messages. Several
// projections on the same topics have a subscription each.
//
// # Batches
//
// A message that arrives alone is applied at once. The messages that arrive while a batch is applied are the next batch, if
// the subscriber delivers several before the first is acknowledged. If it does not, see Config.Subscriptions.
//
// # Messages that cannot be applied
//
// A message that the projection refuses, by a cqrsfeed.RefusedError, goes to the poison topic at once. Any other failure
// holds up no other message: failed messages are tried again between the following batches, together and then each alone.
//
// If the projection names the failed messages, by a cqrsfeed.FailedError, the rest of the batch is applied at once. After
// every tenth failure such a message goes back to the broker, so that an instance of another release may apply it.
//
// A failure alone counts only if another message was applied since the failure before. After MaxAttempts counted failures
// the message goes to the poison topic too. While nothing is applied, because the store or the broker is away, nothing
// counts. A worker then stops reading when a full batch of messages has failed (10 at least).
//
// Without other messages, a failed message is tried until one arrives. A restart forgets the failures. docs/poison.md
// explains how to watch the poison topic and how to replay it.
//
// # Metrics
//
// The attribute cqrsfeed.projector of each is the projector's Name:
//
//   - cqrsfeed.projector.batch.size: messages of a batch that was applied
//   - cqrsfeed.projector.apply.duration: seconds that an attempt of the projection took, failed or not
//   - cqrsfeed.projector.lag: seconds from an event to the publication of its updates, for messages with a time (cqrsfeed.MessageTime)
//   - cqrsfeed.projector.failures: attempts to apply a batch that failed
//   - cqrsfeed.projector.poison: messages published to the poison topic
//   - cqrsfeed.projector.updates.refused: updates left out because the publisher refuses them
//   - cqrsfeed.projector.dropped: messages acknowledged although the poison topic refuses them too; the log has them
//   - cqrsfeed.projector.paused: 1 while the projector is paused, else 0
//   - cqrsfeed.projector.backlog: messages not yet acknowledged, as a Subscriber that is a Backlogger counts them, else
//     those that were delivered to this process; only while Run reads a Subscriber
//   - cqrsfeed.projector.backlog.age: seconds that the oldest of them has waited, if the Subscriber is a Backlogger
//
// # Traces
//
// An attempt has a span if a message of its batch carries a sampled trace context (W3C's traceparent, which outboxes
// write). The span is a child of the first such message's and links to the others. Updates carry the trace on.
package projector
