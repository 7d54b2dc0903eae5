package cqrsfeed_test

import (
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// The rules of an application say all that is wrong at once. feedmill.App.WriteError responds with status 422 and both fields.
func ExampleFieldErrors() {
	check := func(title, author string) error {
		var problems cqrsfeed.FieldErrors
		if title == "" {
			problems = append(problems, cqrsfeed.FieldError{Field: "title", Detail: "is empty"})
		}
		if author == "" {
			problems = append(problems, cqrsfeed.FieldError{Field: "author", Detail: "is empty"})
		}
		if problems != nil {
			return problems
		}
		return nil
	}
	err := check("", "")
	_, invalid := errors.AsType[cqrsfeed.FieldErrors](err)
	fmt.Println(invalid, err)
	// Output: true title is empty; author is empty
}
