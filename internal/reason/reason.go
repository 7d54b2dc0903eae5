// Package reason makes the text of an error fit where it is kept beside a message: in a column or in metadata.
package reason

import (
	"fmt"
	"strings"
)

// MaxLength is the most bytes that are kept of a reason. Metadata has to fit into a broker's message beside the
// payload.
const MaxLength = 2000

// Text returns the error's text as valid UTF-8 without NUL, cut off after MaxLength bytes. It does not panic if the error does.
func Text(err error) string {
	if err == nil {
		return "no reason was given"
	}
	text := strings.ReplaceAll(strings.ToValidUTF8(fmt.Sprint(err), "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > MaxLength {
		text = strings.ToValidUTF8(text[:MaxLength], "")
	}
	return text
}
