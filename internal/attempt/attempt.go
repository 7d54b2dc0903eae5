// Package attempt tells a projection which attempt is the last one, across the publishers between.
package attempt

import "context"

type key struct{}

// WithLast returns a context for the last attempt to apply one message. If that fails, the message is set aside.
func WithLast(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, true) }

// IsLast reports whether ctx comes from WithLast.
func IsLast(ctx context.Context) bool { return ctx.Value(key{}) != nil }
