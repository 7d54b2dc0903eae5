package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// etag is a post's entity tag: its version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ifMatch turns the request's If-Match (RFC 9110 section 13.1.1) into conditions on a change. Of several tags the one
// that the post has now is what the change is bound to.
func (a *API) ifMatch(ctx context.Context, r *http.Request, id string) ([]cqrsfeed.ChangeOption, error) {
	header := strings.Join(r.Header.Values("If-Match"), ",")
	if header == "" {
		return nil, nil
	}
	current, err := a.posts.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	for tag := range strings.SplitSeq(header, ",") {
		switch tag = strings.TrimSpace(tag); {
		case tag == "*":
			return nil, nil
		case tag == etag(current.Version):
			return []cqrsfeed.ChangeOption{cqrsfeed.IfVersion(current.Version)}, nil
		case !validTag(tag):
			return nil, refuse(http.StatusBadRequest, "If-Match", "is not a list of quoted entity tags")
		}
	}
	return nil, cqrsfeed.ErrConflict
}

// validTag accepts weak tags too: they are well formed, and never match.
func validTag(tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	return len(tag) >= 2 && strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) && !strings.Contains(tag[1:len(tag)-1], `"`)
}
