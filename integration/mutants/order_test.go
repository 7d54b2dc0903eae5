package mutants_test

func orderMutants() []mutant {
	return []mutant{
		{
			without: "regard for what other relays have", file: "order.go", test: "^TestOrder$",
			text:    `case !has[id]:`,
			instead: `case !has[id] && id == 0:`,
		},
		{
			without: "regard for parked messages", file: "order.go", test: "^TestOrder$",
			text:    `case !has[id]:`,
			instead: `case !has[id] && id > 0:`,
		},
		{
			without: "another begin when nothing is left of a topic", file: "order.go", test: "^TestOutbox$",
			text:    `slices.Sorted(maps.Keys(last)), false, nil`,
			instead: `slices.Sorted(maps.Keys(last))[:0], false, nil`,
		},
		{
			without: "the generation of the marks", file: "order.go", test: "^TestOutbox$",
			text:    `search.stale(held.generation)`,
			instead: `search.stale(0)`,
		},
		{
			without: "old marks", file: "marks.go", test: "^TestOutbox$",
			text:    `orderedLateness = time.Minute`,
			instead: `orderedLateness = time.Second`,
		},
	}
}

func markMutants() []mutant {
	return []mutant{
		{
			without: "regard for messages that other relays hold", file: "take.go", test: "^TestOrderBehindALockedMessage$",
			text:    `err == nil && search.raises()`,
			instead: `err == nil && search.sweep && search.raises()`,
		},
		{
			without: "the generation of the marks", file: "order.go", test: "^TestOrderWhenAnotherProcessReturnsAMessage$",
			text:    `search.stale(held.generation)`,
			instead: `search.stale(0)`,
		},
	}
}

func relayOrderMutants() []mutant {
	return []mutant{
		{
			without: "rounds", file: "publish.go", test: "^TestOrder$",
			text:    `if !d.batch[messages[0]].InOrder {`,
			instead: `if len(messages) > 0 {`,
		},
		{
			without: "the end at a round that was not published", file: "publish.go", test: "^TestOrder$",
			text:    `func(i int) bool { return d.results[i].Outcome != Published }`,
			instead: `func(int) bool { return false }`,
		},
	}
}
