package natspubsub

// What the tests look into.
//
//nolint:gochecknoglobals // names for functions
var (
	SubjectOf     = subjectOf
	ConsumerName  = consumerName
	Covers        = covers
	MergeSubjects = mergeSubjects
	Marshal       = marshal
	Unmarshal     = unmarshal
	NthDelay      = nthDelay
)
