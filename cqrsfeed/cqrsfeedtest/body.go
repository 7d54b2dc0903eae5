package cqrsfeedtest

// Body is the application value that the suites store.
type Body struct {
	Text string   `json:"text"`
	Tags []string `json:"tags"`
	// Score is rarely set. NaN cannot be encoded.
	Score float64 `json:"score,omitempty"`
}
