// Package driver is for authors of stores. It has cursors, pages, the conditions of a change, the check of a body's type, and the
// trace context and the kind of a message. Applications do not need it.
package driver
