package releasestest

import (
	"encoding/json"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Note is a note as the first release has it.
type Note struct {
	Text string `json:"text"`
}

// NoteWithStars has a field more.
type NoteWithStars struct {
	Text  string `json:"text"`
	Stars int    `json:"stars,omitempty"`
}

// NoteWithoutStars removes the field from what is stored.
type NoteWithoutStars struct {
	Text string `json:"text"`
}

// Upcast removes the field. Update stores what Upcast returns, with the change.
func (NoteWithoutStars) Upcast(body json.RawMessage) (json.RawMessage, error) {
	return edit(body, func(fields map[string]any) { delete(fields, "stars") })
}

// NoteReadsTitle reads the text by its new name too, and writes it by the old one.
type NoteReadsTitle struct {
	Text string `json:"text"`
}

// Upcast gives the field the name that this release has.
func (NoteReadsTitle) Upcast(body json.RawMessage) (json.RawMessage, error) {
	return rename(body, "title", "text")
}

// NoteWithTitle writes the new name. It runs beside NoteReadsTitle, and not beside Note.
type NoteWithTitle struct {
	Title string `json:"title"`
}

var _ cqrsfeed.Upcaster = NoteWithTitle{}

// Upcast gives the field the name that this release has.
func (NoteWithTitle) Upcast(body json.RawMessage) (json.RawMessage, error) {
	return rename(body, "text", "title")
}

// rename renames a field.
func rename(body json.RawMessage, from, to string) (json.RawMessage, error) {
	return edit(body, func(fields map[string]any) {
		if value, there := fields[from]; there {
			fields[to] = value
			delete(fields, from)
		}
	})
}

// edit changes the fields of an object. It keeps the digits of numbers.
func edit(body json.RawMessage, change func(fields map[string]any)) (json.RawMessage, error) {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	change(fields)
	return json.Marshal(fields)
}

// Task has a priority that is a number.
type Task struct {
	Text     string `json:"text"`
	Priority int    `json:"priority"`
}

// TaskReadsNames reads a priority that is a name too, and writes the number.
type TaskReadsNames struct {
	Text     string   `json:"text"`
	Priority Priority `json:"priority"`
}

// Priority is a number that is read from a number or a name.
type Priority int

// UnmarshalJSON implements json.Unmarshaler.
func (p *Priority) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"low"`:
		*p = 0
	case `"high"`:
		*p = 1
	default:
		return json.Unmarshal(b, (*int)(p))
	}
	return nil
}

// TaskWithNames writes names. It runs beside TaskReadsNames, and not beside Task.
type TaskWithNames struct {
	Text     string       `json:"text"`
	Priority PriorityName `json:"priority"`
}

// PriorityName is a name that is read from a name or a number.
type PriorityName string

// UnmarshalJSON implements json.Unmarshaler.
func (p *PriorityName) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "0":
		*p = "low"
	case "1":
		*p = "high"
	default:
		return json.Unmarshal(b, (*string)(p))
	}
	return nil
}

// Person has a field that becomes two.
type Person struct {
	Name string `json:"name"`
}

// PersonExpanded has both forms, and writes both. Its code sets all three fields.
type PersonExpanded struct {
	Name  string `json:"name"`
	First string `json:"first"`
	Last  string `json:"last"`
}

// Upcast makes each form from the other. The old one counts, because an old release may have changed it alone.
func (PersonExpanded) Upcast(body json.RawMessage) (json.RawMessage, error) {
	return edit(body, func(fields map[string]any) {
		if name, old := fields["name"].(string); old {
			fields["first"], fields["last"], _ = strings.Cut(name, " ")
			return
		}
		first, _ := fields["first"].(string)
		last, _ := fields["last"].(string)
		fields["name"] = first + " " + last
	})
}

// PersonContracted has the new form alone. It runs beside PersonExpanded, and not beside Person.
type PersonContracted struct {
	First string `json:"first"`
	Last  string `json:"last"`
}

// Upcast makes the new form from the old one, and removes that.
func (PersonContracted) Upcast(body json.RawMessage) (json.RawMessage, error) {
	return edit(body, func(fields map[string]any) {
		if name, old := fields["name"].(string); old {
			fields["first"], fields["last"], _ = strings.Cut(name, " ")
			delete(fields, "name")
		}
	})
}
