package jsonmerge_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/internal/jsonmerge"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ stored, before, after, want string }{
		"nothing changed": {` {"b" : 1,"a":2.0} `, `{"a":2}`, `{"a":2}`, ` {"b" : 1,"a":2.0} `},
		"a member changed": {
			`{"x":[1, 2],"a":1,"y":{"z":null}}`, `{"a":1}`, `{"a":2}`, `{"x":[1, 2],"a":2,"y":{"z":null}}`,
		},
		"a member is new":              {`{"x":1}`, `{}`, `{"a":2,"b":3}`, `{"x":1,"a":2,"b":3}`},
		"a member is gone":             {`{"x":1,"a":2}`, `{"a":2}`, `{}`, `{"x":1}`},
		"a member that was left out":   {`{"x":1,"a":""}`, `{}`, `{"a":"b"}`, `{"x":1,"a":"b"}`},
		"a member that is not written": {`{"x":1}`, `{"a":0,"b":0}`, `{"a":0,"b":1}`, `{"x":1,"a":0,"b":1}`},
		"within objects":               {`{"o":{"x":1,"a":1,"b":1}}`, `{"o":{"a":1,"b":1}}`, `{"o":{"a":2,"b":1}}`, `{"o":{"x":1,"a":2,"b":1}}`},
		"another object": {
			`{"x":1,"o":{"id":1,"name":"Ann","z":0,"s":{"":false},"email":"ann"}}`, `{"o":{"id":1,"name":"Ann","z":0,"s":{"":false}}}`,
			`{"o":{"id":2,"name":"Bob","z":0,"s":{"":false}}}`, `{"x":1,"o":{"id":2,"name":"Bob","z":0,"s":{"":false}}}`,
		},
		"another object within a value that stays": {
			`{"m":{"k":{"p":{"a":1,"x":1},"b":1,"x":2}}}`, `{"m":{"k":{"p":{"a":1},"b":1}}}`,
			`{"m":{"k":{"p":{"a":2},"b":1}}}`, `{"m":{"k":{"p":{"a":2},"b":1,"x":2}}}`,
		},
		"objects in another object":     {`{"o":{"p":{"a":1,"x":1},"x":2}}`, `{"o":{"p":{"a":1}}}`, `{"o":{"p":{"a":2}}}`, `{"o":{"p":{"a":2}}}`},
		"an object that was empty":      {`{"o":{"x":1,"a":0}}`, `{"o":{"a":0}}`, `{"o":{"a":2}}`, `{"o":{"x":1,"a":2}}`},
		"an object with a longer array": {`{"o":{"x":1,"l":[1,2]}}`, `{"o":{"l":[1,2]}}`, `{"o":{"l":[1,2,3]}}`, `{"o":{"x":1,"l":[1,2,3]}}`},
		"an object with another array":  {`{"o":{"x":1,"l":[0,2]}}`, `{"o":{"l":[0,2]}}`, `{"o":{"l":[0,3]}}`, `{"o":{"l":[0,3]}}`},
		"elements of no content":        {`{"l":[{"x":1}]}`, `{"l":[{}]}`, `{"l":[{},{"a":1}]}`, `{"l":[{"x":1},{"a":1}]}`},
		"an object takes a place":       {`{"o":5}`, `{"o":5}`, `{"o":{"a":2}}`, `{"o":{"a":2}}`},
		"digits of what is untouched":   {`{"n":9007199254740993,"a":1}`, `{"n":9007199254740992,"a":1}`, `{"n":9007199254740992,"a":2}`, `{"n":9007199254740993,"a":2}`},
		"another case":                  {`{"TEXT":"a","x":1}`, `{"text":"a"}`, `{"text":"b"}`, `{"TEXT":"b","x":1}`},
		"a case of Unicode":             {`{"STRA\u017fE":"a"}`, `{"strase":"a"}`, `{"strase":"b"}`, `{"STRA\u017fE":"b"}`},
		"another case, new":             {`{"TEXT":"","x":1}`, `{}`, `{"text":"b"}`, `{"text":"b","x":1}`},
		"cases of a map":                {`{"a":1,"A":2}`, `{"A":2,"a":1}`, `{"A":3,"a":1}`, `{"a":1,"A":3}`},
		"one of several":                {`{"a":1,"x":0,"A":2,"x":3}`, `{"a":2}`, `{"a":4}`, `{"a":4,"x":0,"x":3}`},
		"several that stay":             {`{"a":1,"A":2,"b":1}`, `{"a":2,"b":1}`, `{"a":2,"b":2}`, `{"a":1,"A":2,"b":2}`},
		"elements that stay":            {`[{"x":1,"a":1},{"x":2,"a":2}]`, `[{"a":1},{"a":2}]`, `[{"a":1},{"a":2},{"a":3}]`, `[{"x":1,"a":1},{"x":2,"a":2},{"a":3}]`},
		"elements that move":            {`[{"x":1,"a":1},{"x":2,"a":2}]`, `[{"a":1},{"a":2}]`, `[{"a":2},{"a":0},{"a":1}]`, `[{"x":2,"a":2},{"a":0},{"x":1,"a":1}]`},
		"an element that changed":       {`[{"x":1,"a":1},{"x":2,"a":2}]`, `[{"a":1},{"a":2}]`, `[{"a":1},{"a":9}]`, `[{"x":1,"a":1},{"a":9}]`},
		"equal elements":                {`[1.0,1.00]`, `[1,1]`, `[1,1,1]`, `[1.0,1.00,1]`},
		"elements that were not read":   {`[1.0,2,3]`, `[1,2]`, `[1,3]`, `[1,3]`},
		"an empty array":                {`[ ]`, `[]`, `[1]`, `[1]`},
		"keys and texts that look alike": {
			`{"a\"}":"{[\\","x":"]}\"","\u0061b":1}`, `{"a\"}":"{[\\","ab":1}`, `{"a\"}":"{","ab":2}`, `{"a\"}":"{","x":"]}\"","\u0061b":2}`,
		},
		"no objects": {`5`, `5`, `"x"`, `"x"`},
		"null":       {`null`, `{"a":0}`, `{"a":1}`, `{"a":1}`},
	} {
		assert.Equal(t, c.want, string(jsonmerge.Merge([]byte(c.stored), []byte(c.before), []byte(c.after))), name)
	}
}

// known is what a release knows of a body.
type known struct {
	Text  string         `json:"text"`
	Count int            `json:"count,omitempty"`
	Tags  []string       `json:"tags"`
	Parts []part         `json:"parts,omitempty"`
	Sub   *known         `json:"sub,omitempty"`
	More  map[string]any `json:"more"`
}

type part struct {
	Name string `json:"name"`
}

// FuzzMerge changes what a release knows of a body. The result decodes to the changed body. What no name of a member that
// the release knows is equal to, is there as it was.
func FuzzMerge(f *testing.F) {
	for _, stored := range []string{
		`{}`, `{"text":"a","x":9007199254740993,"tags":["b", "c"]}`, `{"TEXT":"a","text":"b","Text":"c"}`,
		`{"sub":{"x":1,"text":"a","sub":{"y":[{}]}},"more":{"a":1e400}}`, `{"sub":{"text":"a"},"sub":{"count":2}}`,
		`{"more":{"n":9007199254740993,"m":{"a":"\ud83d\ude00"}},"parts":[{"name":"a","x":1},{"x":2}],"x":{"y":[]},"x":null}`,
		`{"":0,"\u0000":"\\","té":"ü"," ":[[],{}],"tags":null,"parts":null,"sub":null}`, `null`, `{"count":0,"parts":[]}`,
	} {
		for change := range byte(8) {
			f.Add([]byte(stored), "new", change)
		}
	}
	f.Fuzz(func(t *testing.T, stored []byte, text string, change byte) {
		var body known
		if json.Unmarshal(stored, &body) != nil {
			return
		}
		before := encode(t, body)
		apply(&body, text, change)
		after := encode(t, body)
		merged := jsonmerge.Merge(stored, before, after)
		require.True(t, json.Valid(merged), "%s", merged)
		var decoded known
		require.NoError(t, json.Unmarshal(merged, &decoded), "%s", merged)
		var want known // as it is when it was encoded once: text that is not UTF-8 is not
		require.NoError(t, json.Unmarshal(after, &want))
		require.Equal(t, string(encode(t, want)), string(encode(t, decoded)), "%s", merged)
		require.Equal(t, unknown(t, stored), unknown(t, merged), "%s", merged)
		if string(before) == string(after) {
			require.Equal(t, stored, merged)
		}
	})
}

func encode(t *testing.T, body known) []byte {
	t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	return encoded
}

// apply makes one of several changes.
func apply(body *known, text string, change byte) {
	switch change % 8 {
	case 0:
		body.Text = text
	case 1:
		body.Count++
	case 2:
		body.Tags = append([]string{text}, body.Tags...)
	case 3:
		body.Tags = nil
	case 4:
		body.Parts = append(body.Parts, part{text})
	case 5:
		if body.Sub != nil {
			body.Sub.Text = text
		}
	case 6:
		if body.More == nil {
			body.More = map[string]any{}
		}
		body.More[text] = text
	default: // nothing
	}
}

// unknown returns the members of an object that no field of known has, as they were written.
func unknown(t *testing.T, object []byte) map[string]json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(object, &members))
	left := map[string]json.RawMessage{}
	for name, value := range members {
		if !isField(name) {
			left[name] = value
		}
	}
	return left
}

func isField(name string) bool {
	for known := range reflect.TypeFor[known]().Fields() {
		field, _, _ := strings.Cut(known.Tag.Get("json"), ",")
		if strings.EqualFold(field, name) {
			return true
		}
	}
	return false
}
