package cqrsfeedtest

// Body is the application value that the suites store.
type Body struct {
	Text string   `json:"text"`
	Tags []string `json:"tags"`
	// Score is in few bodies. One that is not a number cannot be encoded.
	Score float64 `json:"score,omitempty"`
}
