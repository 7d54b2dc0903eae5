// Package driver has what authors of stores need beside the contracts: cursors, page limits, the conditions of a
// change, and the trace context of a message. Applications do not need it.
package driver
