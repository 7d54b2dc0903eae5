package ssestream

import (
	"context"

	"github.com/feedmill/feedmill/ssestream/internal/room"
)

// MaxDependencies is how many keys a state may depend on beside its own. See [DependOn].
const MaxDependencies = room.MaxDependencies

// DependOn tells, within a Load, that the state depends on these keys beside its own, such as a timeline on the feeds that
// its user follows. The key is loaded again after an event that has one of them among its EventKeys. ctx is that of Load.
//
// Load may call it at any time and several times, before or after it reads: an event that comes while the load runs is not
// missed. The keys hold until the key is loaded again, whether Load returns a state or an error.
//
// A state that depends on more than [MaxDependencies] keys, or on [AllKeys], is loaded again after every event of the
// handler's topics. So is one in a router that is not a [Router]. [Router.Kick] goes by the key of a stream alone. In loads
// for plain requests, and elsewhere, DependOn does nothing.
func DependOn(ctx context.Context, keys ...string) { room.DependOn(ctx, keys) }
