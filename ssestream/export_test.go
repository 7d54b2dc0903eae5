package ssestream

import "time"

// What the tests of the wire format need of the package's inside.
var (
	ErrEventName = errEventNameBreak
	ErrEventID   = errEventID
)

func AppendFrame(dst []byte, name, id string, data []byte) ([]byte, error) {
	return appendFrame(dst, name, id, data)
}

func AppendRetry(dst []byte, d time.Duration) []byte { return appendRetry(dst, d) }

const Heartbeat = heartbeat

func ValidEventID(id string) bool { return validEventID(id) }

func NoneMatches(fields []string, version string) bool { return noneMatches(fields, version) }
