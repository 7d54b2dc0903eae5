// Package projector keeps read models up to date: a [Projector] gathers messages into batches, has a [Projection] apply
// them, publishes what the projection announces, and acknowledges only then.
package projector
