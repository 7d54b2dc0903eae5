// Package groupcommit lets concurrent writes share a transaction. A hundred rows in one transaction cost a database hardly
// more round trips and commits than one row.
//
// A write never waits to be joined by others. The first callers write at once, each in a transaction of its own. Callers
// that arrive while [Config.Slots] transactions run wait until one ends, and then share the next:
//
//	         a slot is free
//	caller ────────────────────► alone, in the slot ───────────► result
//	   │ no slot is free                                           ▲
//	   ▼           a slot ends            committed, or unknown    │
//	waiting ──────────────────► shared ────────────────────────────┤
//	   │ its context ends          │ left out, or rolled back      │
//	   ▼                           ▼                               │
//	 error                      alone, at most 16 at a time ───────┘
//
// Guarantees:
//
//   - A caller never fails because of another's entry. An entry that cannot be written with the others is left out of the
//     shared transaction and written alone. If the shared transaction fails, all of its entries are written alone.
//   - If a commit is lost, its unknown outcome is the result of all callers that shared it. No entry that may have been
//     written is tried again.
//   - A caller can give up while it waits; its entry is then not written. Entries are taken from the waiting ones only when
//     the shared transaction is open and can write. A caller whose entry was taken waits for the result, because the
//     transaction cannot be cancelled for one of many. Config.Share must limit that time.
//   - A transaction of one entry that waits for a lock does not delay others: after [Config.Turn] its slot is passed to the
//     waiting callers.
package groupcommit
