package natspubsub

import (
	"fmt"
	"strings"
)

const (
	// maxSubject keeps subjects, of which a protocol line holds two, far from the server's limit for a line.
	maxSubject = 1024
	// maxConsumerName is the server's limit.
	maxConsumerName = 255
)

// escapeTopic makes a topic a subject's end: one or more tokens that hold no wildcard. Dots stay and separate
// tokens, so that "post.created" can be matched by "post.*". What a subject cannot hold or should not hold
// (space, wildcards, control and non-ASCII bytes, dots that would make an empty token) and the percent sign
// itself become %XX, so that no two topics share a subject.
func escapeTopic(topic string) string {
	var b strings.Builder
	for i := range len(topic) {
		c := topic[i]
		switch {
		case c == '.' && (i == 0 || i == len(topic)-1 || topic[i-1] == '.' || topic[i+1] == '.'),
			c <= ' ', c > '~', c == '*', c == '>', c == '%':
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}

	return b.String()
}

// subjectOf answers the subject that a topic's messages have.
func subjectOf(prefix, topic string) (string, error) {
	if topic == "" {
		return "", fmt.Errorf("%w: it is empty", ErrInvalidTopic)
	}
	subject := prefix + "." + escapeTopic(topic)
	if len(subject) > maxSubject {
		return "", fmt.Errorf("%w: its subject has %d bytes, %d are allowed", ErrInvalidTopic, len(subject), maxSubject)
	}

	return subject, nil
}

// consumerName answers the name of the consumer that a durable name has on a topic. The durable name holds
// neither "@" nor "%", so that no two pairs share a consumer.
func consumerName(durable, topic string) (string, error) {
	var b strings.Builder
	b.WriteString(durable)
	b.WriteByte('@')
	for i := range len(topic) {
		if c := topic[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() > maxConsumerName {
		return "", fmt.Errorf("%w: the name of its consumer has %d bytes, %d are allowed",
			ErrInvalidTopic, b.Len(), maxConsumerName)
	}

	return b.String(), nil
}

// plain reports bytes that are safe in every kind of name.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// checkName refuses names of streams and durables that are not plain.
func checkName(field, name string) error {
	if name == "" {
		return fmt.Errorf("%s is missing", field)
	}
	for i := range len(name) {
		if !plain(name[i]) {
			return fmt.Errorf("%s is %q, it may hold only letters, digits, '-' and '_'", field, name)
		}
	}
	if len(name) > maxConsumerName {
		return fmt.Errorf("%s has %d bytes, %d are allowed", field, len(name), maxConsumerName)
	}

	return nil
}

// covers reports whether every subject that the second pattern matches is matched by the first.
func covers(pattern, other string) bool {
	wide, narrow := strings.Split(pattern, "."), strings.Split(other, ".")
	for i, token := range wide {
		switch {
		case i >= len(narrow):
			return false
		case token == ">":
			return true
		case narrow[i] == ">":
			return false
		case token != "*" && token != narrow[i]:
			return false
		}
	}

	return len(wide) == len(narrow)
}

// mergeSubjects adds to the subjects of a stream those that it does not cover, in place of those that the
// new ones cover, because the subjects of a stream must not overlap.
func mergeSubjects(have, want []string) []string {
	merged := have
	for _, subject := range want {
		var kept []string
		covered := false
		for _, old := range merged {
			if covers(old, subject) {
				covered = true
			}
			if covered || !covers(subject, old) {
				kept = append(kept, old)
			}
		}
		if !covered {
			merged = append(kept, subject)
		}
	}

	return merged
}
