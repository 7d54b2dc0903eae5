// Package groupcommit lets writes of the same moment share a transaction. Of what a write costs a database, round trips and
// a commit, a hundred rows need hardly more than one.
//
// Nobody waits for company that may not come. The first callers write at once, each in a transaction of its own. Those that
// come while [Config.Slots] transactions run wait until one ends, and then share the next:
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
// What a caller can rely on:
//
//   - It never fails because of another's entry. An entry that cannot go with the others is left out of the shared
//     transaction and written alone. When the shared transaction fails, all of its entries are.
//   - An outcome that is unknown after a lost commit is that of all who shared it: nobody tries again what may be there.
//   - It can give up while it waits, and has then written nothing. Entries are taken from those that wait only when the
//     shared transaction is open and can write. A caller whose entry is taken waits for the result, since the transaction
//     cannot be cancelled for one of many. Config.Share bounds that time.
//   - A transaction of one entry that waits for a lock does not hold up others: after [Config.Turn] its slot is given to
//     those that wait.
package groupcommit
