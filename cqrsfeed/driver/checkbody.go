package driver

import (
	"fmt"
	"reflect"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// CheckBody returns an error that wraps ErrInvalid if bodies of type T look like an Upcaster and are none: their method Upcast
// has another signature, and would not be called. Stores check the type when they are made.
func CheckBody[T any]() error {
	var body T
	if _, ok := any(&body).(cqrsfeed.Upcaster); ok {
		return nil
	}
	if _, ok := any(body).(cqrsfeed.Upcaster); ok {
		return nil
	}
	pointer := reflect.TypeFor[*T]()
	method, ok := pointer.MethodByName("Upcast")
	if !ok {
		method, ok = pointer.Elem().MethodByName("Upcast")
	}
	if !ok {
		return nil
	}
	return fmt.Errorf("%w: the method Upcast of %s is a %s, which is never called: it must be func(json.RawMessage) (json.RawMessage, error), see Upcaster",
		cqrsfeed.ErrInvalid, pointer.Elem(), method.Type)
}
