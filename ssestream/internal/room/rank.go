package room

// rank is what the last load of a key was like. A better rank is a smaller one.
type rank int

const (
	good   rank = iota // it told what the state is
	fresh              // there was none
	failed             // it failed, or took long for the first time
	slow               // it took long again, however it ended
	ranks
)

// afterLate returns the rank of a key after a load that took long. Once may be an accident, and the places of slow keys may
// be taken for a long time.
func (r rank) afterLate() rank {
	if r < failed {
		return failed
	}

	return slow
}
