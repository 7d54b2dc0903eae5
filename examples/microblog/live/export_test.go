package live

// Len returns how many ways and spans the ring keeps, which must be the same if each way is a span.
func (r *Ring) Len() int { return max(len(r.ways), len(r.spans)) }
