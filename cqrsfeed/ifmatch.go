package cqrsfeed

import (
	"net/http"
	"strconv"
	"strings"
)

// ETag returns the entity tag of the item: its version, quoted.
func (i Item[T]) ETag() string { return strconv.Quote(strconv.FormatInt(i.Version, 10)) }

// noVersion is a version that no item has.
const noVersion = 0

// IfMatch returns the condition of the request's If-Match header (RFC 9110, section 13.1.1) for a change of an item
// whose entity tag is [Item.ETag]. It ignores a dot in a tag and what follows, where ssestream puts a hash of the response.
// Without the header, and for "*", the change is unconditional. IfMatch returns ErrInvalid if the header is not a list of
// entity tags.
func IfMatch(r *http.Request) ([]ChangeOption, error) {
	header := strings.Join(r.Header.Values("If-Match"), ",")
	if header == "" {
		return nil, nil
	}
	var options []ChangeOption
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return nil, nil
		}
		if !validTag(tag) {
			return nil, &statusError{
				text: "If-Match is not a list of quoted entity tags", status: http.StatusBadRequest, field: "If-Match", kind: ErrInvalid,
			}
		}
		digits, _, _ := strings.Cut(strings.Trim(tag, `"`), ".")
		version, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || !strings.HasPrefix(tag, `"`) || digits != strconv.FormatInt(version, 10) {
			version = noVersion // of some other resource, or weak, which never matches
		}
		options = append(options, IfVersion(version))
	}
	return options, nil
}

// validTag reports whether tag is an entity tag, weak or strong.
func validTag(tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	return len(tag) >= 2 && strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) && !strings.Contains(tag[1:len(tag)-1], `"`)
}
