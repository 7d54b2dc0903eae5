package postgresstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/feedmill/feedmill/adapters/internal/live"
)

// A batch is sent as notifications "sender number count text". A notification of which the count is 0 is a beat.

// maxNotification is the largest payload of a notification in bytes.
const maxNotification = 7999

// maxCount is how many notifications a batch has at most.
const maxCount = live.MaxBytes/(maxNotification-100) + 1

// beatNumbers follow the sender in a beat.
const beatNumbers = " 0 0 "

// split divides text into notifications. They differ, because PostgreSQL drops those of a transaction that are equal.
func split(sender, text string) []string {
	const numbers = len(" 12345 12345 ")
	room := maxNotification - len(sender) - numbers
	var texts []string
	for len(text) > room {
		end := room
		for !utf8.RuneStart(text[end]) {
			end--
		}
		texts, text = append(texts, text[:end]), text[end:]
	}
	texts = append(texts, text)
	for i := range texts {
		texts[i] = notification(sender, i, len(texts), texts[i])
	}
	return texts
}

func notification(sender string, number, count int, text string) string {
	return sender + " " + strconv.Itoa(number) + " " + strconv.Itoa(count) + " " + text
}

var errNotification = errors.New("a notification that is not the next one")

// assembly joins notifications to texts.
type assembly struct {
	sender      string
	next, count int
	text        strings.Builder
}

// add returns a text and its sender if the notification is the last one of it. The notifications of a text follow each
// other, because they are of one transaction. What is no notification of a Live is passed over.
func (a *assembly) add(notification string) (sender, text string, complete bool, err error) {
	from, number, count, part, ok := parse(notification)
	switch {
	case !ok:
		return "", "", false, nil
	case count > maxCount:
		return "", "", false, fmt.Errorf("%w: number %d of %d, more than a batch has", errNotification, number, count)
	case count == 0:
		return from, "", false, nil
	case number == 0 && a.next == a.count:
		a.sender, a.next, a.count = from, 0, count
		a.text.Reset()
	case number != a.next || count != a.count || from != a.sender:
		return "", "", false, fmt.Errorf("%w: number %d of %d after %d of %d", errNotification, number, count, a.next, a.count)
	}
	a.text.WriteString(part)
	a.next++
	if a.next < a.count {
		return a.sender, "", false, nil
	}
	return a.sender, a.text.String(), true, nil
}

func parse(notification string) (sender string, number, count int, text string, ok bool) {
	fields := strings.SplitN(notification, " ", 4)
	if len(fields) < 4 {
		return "", 0, 0, "", false
	}
	number, errNumber := strconv.Atoi(fields[1])
	count, errCount := strconv.Atoi(fields[2])
	return fields[0], number, count, fields[3], errNumber == nil && errCount == nil
}
