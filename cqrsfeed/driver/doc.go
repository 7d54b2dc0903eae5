// Package driver is for authors of stores. It has cursors, page limits, the conditions of a change, and the trace context and
// the kind of a message. Applications do not need it.
package driver
