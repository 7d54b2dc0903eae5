package cqrsfeed_test

import (
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// The events of an order go to one of 16 topics, whichever they are. A consumer subscribes to all of them.
func ExamplePartitionsOf() {
	topics := cqrsfeed.PartitionsOf("order") // or, for a store: mysqlstore.Config{Topics: cqrsfeed.PartitionsOf}
	fmt.Println(len(topics.All()), "topics, of which the first is", topics.All()[0])
	fmt.Println("order-1:", topics.Of("order-1").Created, topics.Of("order-1").Updated, topics.Of("order-1").Deleted)
	fmt.Println("order-2:", topics.Of("order-2").Created)
	// Output:
	// 16 topics, of which the first is order-changed.0
	// order-1: order-changed.13 order-changed.13 order-changed.13
	// order-2: order-changed.4
}
