package natspubsub

// Unexported functions for the tests.
//
//nolint:gochecknoglobals // names for functions
var (
	SubjectOf    = subjectOf
	ConsumerName = consumerName
	Marshal      = marshal
	Unmarshal    = unmarshal
	NthDelay     = nthDelay
)
