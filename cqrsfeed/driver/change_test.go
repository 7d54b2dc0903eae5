package driver_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// change returns the body of an item after a change.
func change[T any](t *testing.T, stored string, change func(*T)) string {
	t.Helper()
	item := cqrsfeed.Item[T]{ID: "x", Version: 1, Encoded: json.RawMessage(stored)}
	require.NoError(t, item.DecodeBody())
	next, err := driver.Change(item, func(body *T) error {
		change(body)
		return nil
	})
	require.NoError(t, err)
	read := cqrsfeed.Item[T]{Encoded: next.Encoded}
	require.NoError(t, read.DecodeBody())
	assert.Equal(t, next.Body, read.Body, "what readers see")
	requireText(t, stored, string(item.Encoded)) // what was stored must not change
	return string(next.Encoded)
}

// requireText compares bodies byte for byte.
func requireText(t *testing.T, want, got string) {
	t.Helper()
	require.Equal(t, want, got)
}

func TestChangeOfUntypedBodiesKeepsDigits(t *testing.T) {
	t.Parallel()
	const stored = `{"n":9007199254740993,"list":[1.0,12345678901234567890,"a"],"s":{"m":1e2}}`
	requireText(t, stored, change(t, stored, func(*any) {}))
	requireText(t, `{"n":9007199254740993,"list":[1.0,12345678901234567890,"a","b"],"s":{"m":1e2},"new":true}`,
		change(t, stored, func(body *map[string]any) {
			list, ok := (*body)["list"].([]any)
			require.True(t, ok)
			(*body)["list"], (*body)["new"] = append(list, "b"), true
		}))
}

// TestAnObjectThatIsReplacedLeavesNothing: its unknown fields do not go to the new object.
func TestAnObjectThatIsReplacedLeavesNothing(t *testing.T) {
	t.Parallel()
	type person struct {
		ID     int    `json:"id"`
		Name   string `json:"name"`
		Active bool   `json:"active"`
	}
	type body struct {
		Author *person           `json:"author"`
		People map[string]person `json:"people"`
	}
	const stored = `{"author":{"id":1,"name":"Ann","active":false,"email":"ann@x"},` +
		`"people":{"first":{"id":1,"name":"Ann","active":false,"email":"ann@x"}},"x":1}`
	bob := person{ID: 2, Name: "Bob"}
	requireText(t, `{"author":{"id":2,"name":"Bob","active":false},"people":{"first":{"id":2,"name":"Bob","active":false}},"x":1}`,
		change(t, stored, func(b *body) { b.Author, b.People["first"] = &bob, bob }))
	requireText(t, strings.ReplaceAll(stored, "Ann", "Anne"), change(t, stored, func(b *body) {
		b.Author.Name = "Anne"
		b.People["first"] = *b.Author
	}))
}

// TestChangeOfBodiesThatAreNoObjects stores their encoding.
func TestChangeOfBodiesThatAreNoObjects(t *testing.T) {
	t.Parallel()
	requireText(t, `"b"`, change(t, `"a"`, func(body *string) { *body = "b" }))
	requireText(t, `[1.0,3]`, change(t, `[1.0,2.0]`, func(body *[]float64) { (*body)[1] = 3 }))
	requireText(t, `{"Text":"b"}`, change(t, `null`, func(body *struct{ Text string }) { body.Text = "b" }))
}

// swapped reads one name and writes another.
type swapped struct{ text string }

func (s *swapped) UnmarshalJSON(b []byte) error {
	var fields map[string]string
	err := json.Unmarshal(b, &fields)
	s.text = fields["read"] + fields["written"]
	return err
}

func (s swapped) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"written": s.text})
}

// TestChangeOfBodiesWithMarshalersOfTheirOwn never loses the change. It may lose an unknown field.
func TestChangeOfBodiesWithMarshalersOfTheirOwn(t *testing.T) {
	t.Parallel()
	requireText(t, `{"written":"ab"}`, change(t, `{"read":"a","other":"x"}`, func(body *swapped) { body.text += "b" }))
	requireText(t, `{"written":"ab","other":"x"}`, change(t, `{"written":"a","other":"x"}`, func(body *swapped) { body.text += "b" }))
}

// upper is always encoded in capitals.
type upper string

func (u upper) MarshalJSON() ([]byte, error) { return json.Marshal(strings.ToUpper(string(u))) }

func TestChangeReturnsWhatReadersSee(t *testing.T) {
	t.Parallel()
	type body struct{ Text, Other upper }
	requireText(t, `{"Text":"B","x":1,"Other":"a"}`, change(t, `{"Text":"a","x":1,"Other":"a"}`, func(b *body) { b.Text = "b" }))
	type text struct{ Text string }
	requireText(t, `{"x":1,"Text":"\ufffd"}`, change(t, `{"x":1,"Text":""}`, func(b *text) { b.Text = "\xff" }))
}
