package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refusal is a request that must be refused, with the expected status and fields.
type refusal struct {
	request request
	status  int
	fields  []string
}

// TestRefusals sends invalid requests. Each must be refused with its status and fields, and must write nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.state(t)
	require.Len(t, before.Posts, 1)
	require.Len(t, before.Feeds, 2)
	require.Equal(t, 1, before.Outbox)
	for group, refusals := range map[string]map[string]refusal{
		"body": bodyRefusals(), "create": createRefusals(), "update": updateRefusals(), "id": idRefusals(),
		"feed": feedRefusals(), "condition": conditionRefusals(), "method": methodRefusals(),
		"token": tokenRefusals(),
	} {
		for name, test := range refusals {
			t.Run(group+"/"+name, func(t *testing.T) {
				t.Parallel()
				requireProblem(t, s.do(t, test.request), test.status, test.fields...)
				require.Equal(t, before, s.state(t), "nothing was written")
			})
		}
	}
}

// newPost returns the body of a request that creates a post.
func newPost(title, content, author string) string {
	encoded, err := json.Marshal(map[string]string{"title": title, "content": content, "author": author})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(encoded)
}

func valid() string { return newPost("A title", "Words", "Ada") }

// bodyRefusals returns invalid bodies, for POST and PATCH.
func bodyRefusals() map[string]refusal {
	refusals := map[string]refusal{}
	for _, target := range []struct{ method, path, valid string }{
		{http.MethodPost, "/api/posts", valid()},
		{http.MethodPatch, "/api/posts/the-post", `{"title":"Another"}`},
	} {
		add := func(name, body string, status int, field string) {
			refusals[target.method+" "+name] = refusal{sent(target.method, target.path, body), status, []string{field}}
		}
		add("empty", "", http.StatusBadRequest, "body")
		add("no JSON", "title=x", http.StatusBadRequest, "body")
		add("cut off", target.valid[:len(target.valid)-1], http.StatusBadRequest, "body")
		add("array", "["+target.valid+"]", http.StatusBadRequest, "body")
		add("string", `"title"`, http.StatusBadRequest, "body")
		add("null", "null", http.StatusBadRequest, "body")
		add("trailing text", target.valid+" x", http.StatusBadRequest, "body")
		add("trailing object", target.valid+target.valid, http.StatusBadRequest, "body")
		add("invalid UTF-8", `{"title":"`+"\xff"+`"}`, http.StatusBadRequest, "body")
		add("too large", `{"title":"`+strings.Repeat("x", 64<<10)+`"}`, http.StatusRequestEntityTooLarge, "body")
		add("too large by white space", target.valid+strings.Repeat(" ", 64<<10), http.StatusRequestEntityTooLarge, "body")
		add("number for a title", `{"title":1}`, http.StatusBadRequest, "title")
		add("list for a title", `{"title":["x"]}`, http.StatusBadRequest, "title")
		add("object for content", `{"content":{"text":"x"}}`, http.StatusBadRequest, "content")
		add("bool for content", `{"content":true}`, http.StatusBadRequest, "content")
		add("unknown field", `{"title":"A title","tags":["x"]}`, http.StatusBadRequest, "tags")
		add("id", `{"title":"A title","id":"x"}`, http.StatusBadRequest, "id")
		add("version", `{"title":"A title","version":7}`, http.StatusBadRequest, "version")
		add("unknown field with a quote", `{"a\"b":1}`, http.StatusBadRequest, `a"b`)
		for name, contentType := range map[string]string{
			"text": "text/plain", "form": "application/x-www-form-urlencoded", "like JSON": "application/jsonp",
			"malformed content type": "application/json; charset", "no content type": "",
		} {
			refusals[target.method+" "+name] = refusal{
				request{target.method, target.path, target.valid, []string{"Content-Type: " + contentType}},
				http.StatusUnsupportedMediaType,
				[]string{"Content-Type"},
			}
		}
		refusals[target.method+" content type missing"] = refusal{
			request{target.method, target.path, target.valid, nil}, http.StatusUnsupportedMediaType, []string{"Content-Type"},
		}
	}
	return refusals
}

func createRefusals() map[string]refusal {
	refusals := map[string]refusal{
		"field of tags":        {sent(http.MethodPost, "/api/tags", `{"text":"#go"}`), http.StatusBadRequest, []string{"text"}},
		"number for an author": {sent(http.MethodPost, "/api/posts", `{"author":1}`), http.StatusBadRequest, []string{"author"}},
	}
	add := func(name, body string, fields ...string) {
		refusals[name] = refusal{sent(http.MethodPost, "/api/posts", body), http.StatusUnprocessableEntity, fields}
	}
	add("no fields", "{}", "content", "author")
	add("null fields", `{"title":null,"content":null,"author":null}`, "content", "author")
	add("empty fields", newPost("", "", ""), "content", "author")
	add("invisible title", newPost("\u200b", "Words", "Ada"), "title")
	add("invisible fields", newPost("\u2800", "\u3164", "\u2060"), "title", "content", "author")
	add("long title", newPost(strings.Repeat("x", 201), "Words", "Ada"), "title")
	add("no content", newPost("A title", "", "Ada"), "content")
	add("white content", newPost("A title", "\r\n", "Ada"), "content")
	add("long content", newPost("A title", strings.Repeat("x", 10_001), "Ada"), "content")
	add("long content of long characters", newPost("A title", strings.Repeat("👍", 10_001), "Ada"), "content")
	add("no author", newPost("A title", "Words", ""), "author")
	add("white author", newPost("A title", "Words", "\u2003"), "author")
	add("long author", newPost("A title", "Words", strings.Repeat("ü", 101)), "author")
	add("many tags", newPost("A title", tags(51), "Ada"), "content")
	add("long tag", newPost("A title", "#"+strings.Repeat("x", 65), "Ada"), "content")
	add("wrong together", newPost("\u200b", tags(51), strings.Repeat("x", 101)), "title", "author", "content")
	return refusals
}

func updateRefusals() map[string]refusal {
	refusals := map[string]refusal{
		"author": {sent(http.MethodPatch, "/api/posts/the-post", `{"author":"Eve"}`), http.StatusBadRequest, []string{"author"}},
	}
	for name, test := range map[string]struct{ body, field string }{
		"nothing":       {`{}`, "body"},
		"null fields":   {`{"title":null,"content":null}`, "body"},
		"blank title":   {`{"title":"\u200b"}`, "title"},
		"long title":    {`{"title":"` + strings.Repeat("x", 201) + `"}`, "title"},
		"empty content": {`{"content":"","title":"Fine"}`, "content"},
		"long content":  {`{"content":"` + strings.Repeat("x", 10_001) + `"}`, "content"},
		"many tags":     {`{"content":"` + tags(51) + `"}`, "content"},
		"long tag":      {`{"content":"#` + strings.Repeat("x", 65) + `"}`, "content"},
	} {
		refusals[name] = refusal{sent(http.MethodPatch, "/api/posts/the-post", test.body), http.StatusUnprocessableEntity, []string{test.field}}
	}
	return refusals
}

func idRefusals() map[string]refusal {
	refusals := map[string]refusal{}
	for name, test := range map[string]struct {
		id     string
		status int
	}{
		"unknown":       {"nobody", http.StatusNotFound},
		"with a slash":  {"the-post%2Fnobody", http.StatusNotFound},
		"other case":    {"THE-POST", http.StatusNotFound},
		"blank":         {"%20", http.StatusNotFound},
		"SQL":           {"'%20OR%201=1%20--", http.StatusNotFound},
		"too long":      {strings.Repeat("x", 129), http.StatusBadRequest},
		"NUL":           {"the-post%00", http.StatusBadRequest},
		"line feed":     {"the%0Apost", http.StatusBadRequest},
		"delete":        {"%7F", http.StatusBadRequest},
		"invalid UTF-8": {"%FF%FE", http.StatusBadRequest},
	} {
		path := "/api/posts/" + test.id
		for _, r := range []request{
			asked(http.MethodGet, path),
			asked(http.MethodGet, path, "Accept: text/event-stream"),
			sent(http.MethodPatch, path, `{"title":"Another"}`),
			sent(http.MethodPatch, path, `{"title":"Another"}`, `If-Match: "1"`),
			asked(http.MethodDelete, path),
			asked(http.MethodDelete, path, `If-Match: *`),
		} {
			if len(r.header) > 0 && strings.HasPrefix(r.header[0], "Accept") && test.status == http.StatusNotFound {
				continue // a stream waits for the router, which does not run here
			}
			refusals[fmt.Sprintf("%s %s %q", name, r.method, r.header)] = refusal{r, test.status, []string{"id"}}
		}
	}
	return refusals
}

func feedRefusals() map[string]refusal {
	return map[string]refusal{
		"cursor no base64":       {asked(http.MethodGet, "/api/feeds/go?cursor=%21%21"), http.StatusBadRequest, []string{"cursor"}},
		"cursor too short":       {asked(http.MethodGet, "/api/feeds/go?cursor=AAAA"), http.StatusBadRequest, []string{"cursor"}},
		"cursor with control":    {asked(http.MethodGet, "/api/feeds/go?cursor=AAAAAAAAAAAKCg"), http.StatusBadRequest, []string{"cursor"}},
		"cursor too long":        {asked(http.MethodGet, "/api/feeds/go?cursor="+strings.Repeat("A", 4000)), http.StatusBadRequest, []string{"cursor"}},
		"cursor of unknown feed": {asked(http.MethodGet, "/api/feeds/nobody?cursor=x"), http.StatusBadRequest, []string{"cursor"}},
		"cursor in a stream": {
			asked(http.MethodGet, "/api/feeds/go?cursor=AAYt2kPyQAB0aGUtcG9zdA", "Accept: text/event-stream"), http.StatusBadRequest, []string{"cursor"},
		},
		"name too long":         {asked(http.MethodGet, "/api/feeds/"+strings.Repeat("x", 257)), http.StatusBadRequest, []string{"name"}},
		"name invalid UTF-8":    {asked(http.MethodGet, "/api/feeds/%FF"), http.StatusBadRequest, []string{"name"}},
		"name with a line feed": {asked(http.MethodGet, "/api/feeds/go%0A"), http.StatusBadRequest, []string{"name"}},
		"name with NUL":         {asked(http.MethodGet, "/api/feeds/%00"), http.StatusBadRequest, []string{"name"}},
		"too many tags":         {asked(http.MethodGet, "/api/posts?tags="+strings.NewReplacer("#", "", " ", ",").Replace(tags(201))), http.StatusBadRequest, []string{"tags"}},
		"tags with a line feed": {asked(http.MethodGet, "/api/posts?tags=go,s%0Ase"), http.StatusBadRequest, []string{"tags"}},
		"cursor of tags":        {asked(http.MethodGet, "/api/posts?tags=go&cursor=x"), http.StatusBadRequest, []string{"cursor"}},
		"stream of a bad name": {
			asked(http.MethodGet, "/api/feeds/%00", "Accept: text/event-stream"), http.StatusBadRequest, []string{"name"},
		},
	}
}

func tokenRefusals() map[string]refusal {
	refusals := map[string]refusal{}
	for name, token := range map[string]string{
		"empty": "", "no token": "x", "padded": "AQB4=", "of no version": "AAB4", "of no item": "AQA", "of a bad item": "AQAK",
		"too many": strings.Repeat("AQB4,", 16) + "AQB4",
	} {
		for _, path := range []string{"/api/feeds?", "/api/feeds/go?", "/api/streams?stream=feeds&"} {
			for _, accept := range []string{"Accept: application/json", "Accept: text/event-stream"} {
				refusals[name+" in the header "+path+accept] = refusal{
					asked(http.MethodGet, path, "Feedmill-Token: "+token, accept), http.StatusBadRequest, []string{"Feedmill-Token"},
				}
				refusals[name+" in the query "+path+accept] = refusal{
					asked(http.MethodGet, path+"feedmill_token="+strings.ReplaceAll(token, ",", "&feedmill_token="), accept),
					http.StatusBadRequest,
					[]string{"Feedmill-Token"},
				}
			}
		}
	}
	return refusals
}

func conditionRefusals() map[string]refusal {
	refusals := map[string]refusal{}
	for header, status := range map[string]int{
		`"2"`: http.StatusPreconditionFailed, `"0"`: http.StatusPreconditionFailed, `"-1"`: http.StatusPreconditionFailed,
		`"x"`: http.StatusPreconditionFailed, `W/"1"`: http.StatusPreconditionFailed, `"2", "3"`: http.StatusPreconditionFailed,
		`1`: http.StatusBadRequest, `"1`: http.StatusBadRequest, `1"`: http.StatusBadRequest, `"`: http.StatusBadRequest,
		`"2", 3`: http.StatusBadRequest, `x"1"`: http.StatusBadRequest, `"2""3"`: http.StatusBadRequest, `,`: http.StatusBadRequest,
	} {
		for _, r := range []request{
			sent(http.MethodPatch, "/api/posts/the-post", `{"title":"Another"}`, "If-Match: "+header),
			asked(http.MethodDelete, "/api/posts/the-post", "If-Match: "+header),
		} {
			refusals[r.method+" "+header] = refusal{r, status, []string{"If-Match"}}
		}
	}
	return refusals
}

func methodRefusals() map[string]refusal {
	refusals := map[string]refusal{}
	for path, methods := range map[string][]string{
		"/api/feeds":          {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"},
		"/api/feeds/go":       {"POST", "PUT", "PATCH", "DELETE"},
		"/api/posts":          {"PUT", "PATCH", "DELETE"},
		"/api/posts/the-post": {"POST", "PUT", "OPTIONS"},
		"/api/tags":           {"GET", "PUT", "PATCH", "DELETE"},
		"/api/generate/post":  {"GET", "PUT", "DELETE"},
	} {
		for _, method := range methods {
			if method != http.MethodHead {
				refusals[method+" "+path] = refusal{asked(method, path), http.StatusMethodNotAllowed, []string{"method"}}
			}
		}
	}
	for _, path := range []string{"/api/", "/api/nobody", "/api/feeds/", "/api/posts/", "/api/posts/the-post/title", "/api/generate/nobody"} {
		refusals["GET "+path] = refusal{asked(http.MethodGet, path), http.StatusNotFound, nil}
		refusals["POST "+path] = refusal{sent(http.MethodPost, path, valid()), http.StatusNotFound, nil}
	}
	return refusals
}

// tags returns a text with n hashtags.
func tags(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "#tag%d ", i)
	}
	return text.String()
}
