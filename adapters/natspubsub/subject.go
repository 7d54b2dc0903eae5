package natspubsub

import (
	"fmt"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

const (
	// maxSubject is well below the server's limit for a protocol line, which holds two subjects.
	maxSubject = 1024
	// maxConsumerName is the server's limit for names of streams and consumers.
	maxConsumerName = 255
)

// escape returns the topic with %XX in place of every byte for which keep reports false.
func escape(topic string, keep func(i int) bool) string {
	var b strings.Builder
	for i := range len(topic) {
		if keep(i) {
			b.WriteByte(topic[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", topic[i])
		}
	}
	return b.String()
}

// subjectOf returns the subject of a topic. Dots separate tokens, so that "post.*" matches "post.created". Spaces,
// wildcards, control and non-ASCII bytes, dots that would make an empty token, and the percent sign become %XX, so that
// no two topics share a subject.
func subjectOf(prefix, topic string) (string, error) {
	if topic == "" {
		return "", fmt.Errorf("%w: it is empty", cqrsfeed.ErrInvalid)
	}
	subject := prefix + "." + escape(topic, func(i int) bool {
		if c := topic[i]; c != '.' {
			return c > ' ' && c <= '~' && c != '*' && c != '>' && c != '%'
		}
		return i > 0 && i < len(topic)-1 && topic[i-1] != '.' && topic[i+1] != '.'
	})
	if len(subject) > maxSubject {
		return "", fmt.Errorf("%w: its subject has %d bytes, %d are allowed", cqrsfeed.ErrInvalid, len(subject), maxSubject)
	}
	return subject, nil
}

// consumerName returns the name of the consumer of a durable name on a topic. A durable name contains neither "@" nor
// "%", so that no two pairs share a consumer.
func consumerName(durable, topic string) (string, error) {
	name := durable + "@" + escape(topic, func(i int) bool { return plain(topic[i]) })
	if len(name) > maxConsumerName {
		return "", fmt.Errorf("%w: the name of its consumer has %d bytes, %d are allowed",
			cqrsfeed.ErrInvalid, len(name), maxConsumerName)
	}
	return name, nil
}

// plain reports whether the byte is allowed in every kind of name.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// checkName returns an error for a name of a stream or a durable that is not plain.
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
