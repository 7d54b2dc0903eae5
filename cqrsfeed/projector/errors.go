package projector

import "errors"

// ErrStopped is returned by Projector.Handle when the projector has stopped before the message was applied.
var ErrStopped = errors.New("projector has stopped")
