package mongostore

import "slices"

// union returns the places of all lists, sorted, each once; never nil, because null is no set to a server.
func union(lists ...[]place) []place {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Clip(append([]place{}, slices.Compact(all)...))
}

// without returns the places that are not among others, in their order.
func without(places, others []place) []place {
	among := make(map[place]bool, len(others))
	for _, p := range others {
		among[p] = true
	}
	rest := make([]place, 0, len(places))
	for _, p := range places {
		if !among[p] {
			rest = append(rest, p)
		}
	}
	return rest
}
