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

// SeveralID answers the event ID of a connection of that many streams, which all are at that version.
func SeveralID(streams int, stream, version string) string {
	c := &client{width: tokenWidth(streams), members: make([]member, streams)}
	for i := range c.members {
		c.members[i].token = tokenOf(stream, version, c.width)
	}
	line := string(c.appendID(nil, due{}))

	return line[len("id: ") : len(line)-1]
}

func Resumes(id, stream, version string) bool { return parseResumption(id).has(stream, version) }

func Aside(f func()) { aside(f) }
